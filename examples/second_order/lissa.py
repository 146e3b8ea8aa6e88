"""LiSSA: Newton steps from small batches, in time linear in the size (Agarwal, Bullins, Hazan).

    python examples/second_order/lissa.py

For a Hessian H with 0 < H <= 1 the inverse is the series 1 + (1 - H) + (1 - H)² + ..., so that
u = g + (1 - H) u has the Newton direction as its fixed point. Each round uses the Hessian of one
small batch, drawn anew, which is right on average: one Hessian-vector product, no matrix.
Beside it gradient descent, with as many passes over the data.
"""

import argparse

import numpy as np

import backwave as bw

DECAY = 1e-2
SAMPLES, FEATURES, BATCH = 2000, 40, 20
DEPTH, ESTIMATES, STEPS = 400, 2, 8


def loss(weights, points, labels):
    """Logistic regression; with points inside the unit ball the Hessian is below 1/4 + decay."""
    return (
        np.mean(np.logaddexp(0.0, -labels * (points @ weights))) + 0.5 * DECAY * weights @ weights
    )


def data(random):
    scales = np.logspace(0.0, -1.0, FEATURES)  # badly scaled: where gradient descent is slow
    points = random.normal(size=(SAMPLES, FEATURES)) * scales
    points /= np.max(np.linalg.norm(points, axis=1))
    truth = random.normal(size=FEATURES) / scales
    return points, np.where(points @ truth + 0.1 * random.normal(size=SAMPLES) > 0, 1.0, -1.0)


def direction(product, weights, gradient, points, labels, random):
    """An unbiased estimate of H⁻¹ g, from ESTIMATES runs of the recursion."""
    found = []
    for _ in range(ESTIMATES):
        u = gradient
        for _ in range(DEPTH):
            batch = random.choice(SAMPLES, BATCH, replace=False)
            u = gradient + u - product(weights, points[batch], labels[batch], u)
        found.append(u)
    return np.mean(found, axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the data and the batches")
    seed = parser.parse_args().seed
    if seed < 0:
        parser.error(f"--seed {seed}: give 0 or more")
    random = np.random.default_rng(seed)
    points, labels = data(random)
    weights = np.zeros(FEATURES)
    graph = bw.trace(loss, weights, points, labels, argnums=0)
    one_batch = bw.trace(loss, weights, points[:BATCH], labels[:BATCH], argnums=0)
    network = bw.hvp_network(one_batch)  # traced once; every batch has these shapes

    def product(*args):
        return bw.backward(network, *args).grads

    def at(w):
        result = bw.backward(graph, w, points, labels)
        return result.value, result.grads

    passes_per_step = 1 + DEPTH * ESTIMATES * BATCH / SAMPLES
    plain = weights
    print("passes over the data   LiSSA value  |gradient|   descent value  |gradient|")
    for step in range(STEPS + 1):
        value, gradient = at(weights)
        other, slope = at(plain)
        print(
            f"{step * passes_per_step:20.0f}   {value:.9f} {np.linalg.norm(gradient):11.1e}"
            f"   {other:.9f} {np.linalg.norm(slope):13.1e}"
        )
        weights = weights - direction(product, weights, gradient, points, labels, random)
        for _ in range(round(passes_per_step)):
            plain = plain - at(plain)[1] / (0.25 + DECAY)


if __name__ == "__main__":
    main()
