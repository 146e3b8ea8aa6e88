"""A push that makes smoke flow into a ring: a fluid in two dimensions, optimized.

An incompressible fluid fills a square whose sides are joined (a torus). Each step

    takes every quantity from where the velocity brought it:  q(x) <- q(x - v(x))
    takes from the velocity a pressure's gradient, v <- v - ∇p, where ∇²p = ∇·v,

so that hardly anything is squeezed: p comes from a few of Jacobi's iterations. The leaf
is the velocity at the start. The loss compares the last smoke with a picture.
"""

import numpy as np

SIZE = 20
STEPS = 6
JACOBI = 8
ROWS, COLUMNS = np.meshgrid(np.arange(SIZE), np.arange(SIZE), indexing="ij")


def around(q):
    """The four neighbors of each cell: above, below, left, right."""
    return np.roll(q, 1, 0), np.roll(q, -1, 0), np.roll(q, 1, 1), np.roll(q, -1, 1)


def project(down, right):
    """Take the part of the velocity away that squeezes the fluid."""
    above, below, _, _ = around(down)
    _, _, before, after = around(right)
    divergence = 0.5 * (below - above + after - before)
    pressure = np.zeros((SIZE, SIZE))
    for _ in range(JACOBI):
        pressure = 0.25 * (sum(around(pressure)) - divergence)
    above, below, before, after = around(pressure)
    return down - 0.5 * (below - above), right - 0.5 * (after - before)


def advect(quantities, down, right):
    """Look upstream, between the four cells around the place where the fluid came from."""
    row, column = ROWS - down, COLUMNS - right
    i, j = np.floor(row).astype(int), np.floor(column).astype(int)
    s, t = row - i, column - j
    here, beyond = (i % SIZE, j % SIZE), ((i + 1) % SIZE, (j + 1) % SIZE)
    return [
        (1 - s) * ((1 - t) * q[here] + t * q[here[0], beyond[1]])
        + s * ((1 - t) * q[beyond[0], here[1]] + t * q[beyond])
        for q in quantities
    ]


def simulate(velocity, smoke):
    down, right = velocity
    for _ in range(STEPS):
        down, right = project(*advect([down, right], down, right))
        (smoke,) = advect([smoke], down, right)
    return smoke


def loss(velocity, smoke, picture):
    return np.mean((simulate(velocity, smoke) - picture) ** 2)


def inputs():
    """A disc of smoke, the picture of a ring, and a slight random push."""
    rng = np.random.default_rng(5)
    radius = np.hypot(ROWS - SIZE / 2, COLUMNS - SIZE / 2)
    disc = 1 / (1 + np.exp(2 * (radius - 4)))
    ring = np.exp(-0.5 * (radius - 6) ** 2)
    return 0.3 * rng.normal(size=(2, SIZE, SIZE)), disc, ring
