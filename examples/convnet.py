"""A convolutional net that reads handwritten digits, with tanh and averages as in LeNet.

    images      8 × 8, 1 channel
    convolve    6 × 6, 6 channels        with kernels of 3 × 3
    average     3 × 3, 6 channels
    convolve    2 × 2, 16 channels       with kernels of 2 × 2
    dense       10 logits

A convolution is a sum over shifted pictures: u_o[y, x] = Σ_cij K_oc[i, j] z_c[y + i, x + j].
The kernel is one leaf, used at every place; its gradient is the sum over all places.

Data: UCI handwritten digits; see data/README.md.
"""

from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data" / "digits.npz"


def convolve(z, kernel):
    """Convolve z (image, channel, y, x) with a kernel (out, channel, i, j)."""
    _, _, high, wide = kernel.shape
    height, width = z.shape[2] - high + 1, z.shape[3] - wide + 1
    return sum(
        np.einsum("ncyx,oc->noyx", z[:, :, i : i + height, j : j + width], kernel[:, :, i, j])
        for i in range(high)
        for j in range(wide)
    )


def average(z):
    """Halve the picture: the mean of each 2 × 2 block."""
    n, channels, height, width = z.shape
    return z.reshape(n, channels, height // 2, 2, width // 2, 2).mean(axis=(3, 5))


def logits(params, images):
    z = images[:, np.newaxis]
    z = average(np.tanh(convolve(z, params["first"])))
    z = np.tanh(convolve(z, params["second"]))
    return z.reshape(len(z), -1) @ params["dense"] + params["bias"]


def loss(params, images, labels):
    """The mean of -log softmax(logits)[label]."""
    z = logits(params, images)
    z = z - z.max(axis=1, keepdims=True)
    right = np.take_along_axis(z, labels[:, np.newaxis], axis=1)
    return np.mean(np.log(np.exp(z).sum(axis=1, keepdims=True)) - right)


def inputs():
    rng = np.random.default_rng(9)
    params = {
        "first": rng.normal(size=(6, 1, 3, 3)) / 3,
        "second": rng.normal(size=(16, 6, 2, 2)) / np.sqrt(24),
        "dense": rng.normal(size=(64, 10)) / 8,
        "bias": np.zeros(10),
    }
    with np.load(DATA) as data:
        return params, data["images"][:200] / 16.0, data["labels"][:200].astype(np.int64)
