"""An image from the brightness of its diffraction patterns, the phases being lost.

A detector far behind an object sees the Fourier transform of the light, and of that only
the brightness. To know more, the object is seen through several glass plates, each of
which turns the phase of the light by a known random angle:

    b_k = |F(exp(i φ_k) · x)|²

The loss is the mean squared difference from the brightness that was measured. The image
x is real, what lies between is complex, and the loss is real again.
"""

import numpy as np

SIZE, PLATES = 16, 4


def brightness(image, angles):
    """The patterns behind every plate: (plate, row, column)."""
    field = np.exp(1j * angles) * image
    pattern = np.fft.fft2(field) / SIZE
    return np.abs(pattern) ** 2


def loss(image, angles, measured):
    return np.mean((brightness(image, angles) - measured) ** 2)


def inputs():
    """A picture of two spots, and a guess of random grey."""
    rng = np.random.default_rng(14)
    row, column = np.mgrid[:SIZE, :SIZE]
    picture = np.exp(-((row - 5) ** 2 + (column - 6) ** 2) / 6)
    picture += 0.7 * np.exp(-((row - 11) ** 2 + (column - 9) ** 2) / 3)
    angles = rng.uniform(0, 2 * np.pi, size=(PLATES, SIZE, SIZE))
    return rng.uniform(size=(SIZE, SIZE)), angles, brightness(picture, angles)
