"""What is inside? The speed of sound in a body, from one clap that went through it.

The pressure p obeys the wave equation, ∂²p/∂t² = c² ∇²p + source, which leapfrog steps
follow in time:

    p(t + 1) = 2 p(t) - p(t - 1) + c² ∇²p(t) + source(t)

Microphones along the far side write down what they hear. The loss compares that with what
they heard in the true body, and its leaf is c² at every place. The messages are a wave
as well: the misfit, played back from the microphones, backwards in time.
"""

import numpy as np

SIZE, STEPS = 24, 60
CLAP = (3, SIZE // 2)


def laplacian(p):
    """The sum of the four neighbors less four times the middle; zero outside."""
    q = np.pad(p, 1)
    return q[:-2, 1:-1] + q[2:, 1:-1] + q[1:-1, :-2] + q[1:-1, 2:] - 4 * p


def heard(speed2, source):
    """What the microphones in the last row but one hear: (time, column)."""
    before = now = np.zeros((SIZE, SIZE))
    place = np.zeros((SIZE, SIZE))
    place[CLAP] = 1.0
    records = []
    for s in source:
        before, now = now, 2 * now - before + speed2 * laplacian(now) + s * place
        records.append(now[-2])
    return np.stack(records)


def loss(speed2, source, truth):
    return np.sum((heard(speed2, source) - truth) ** 2) / np.sum(truth**2)


def inputs():
    """A body with a slow lump in it, and the guess that it has none."""
    t = np.arange(STEPS)
    phase = (np.pi * (t - 12) / 8) ** 2
    source = (1 - 2 * phase) * np.exp(-phase)  # Ricker's wavelet
    row, column = np.mgrid[:SIZE, :SIZE]
    lump = np.exp(-((row - 11) ** 2 + (column - 9) ** 2) / 12)
    guess = np.full((SIZE, SIZE), 0.25)
    return guess, source, heard(guess * (1 - 0.5 * lump), source)
