"""A multilayer perceptron that reads handwritten digits, with its cross-entropy.

The article's neural net with vector messages: every node is an array (one row an
image), and the weights and biases are leaf nodes. Each hidden layer is a weighted
sum of the layer below it, passed through a non-linear activation. The output f is
the training loss, a simple function of the old output: the cross-entropy between
the softmax of the logits and the true digits.

Data: UCI handwritten digits, 1,797 images of 8x8 pixels; see data/README.md.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data" / "digits.npz"
SIZES = (64, 64, 32, 10)  # pixels, two hidden layers, classes


def perceptron(params, images):
    """The logits: one row an image, one column a class."""
    *hidden, last = params
    z = images
    for layer in hidden:
        z = np.tanh(z @ layer["weight"] + layer["bias"])
    return z @ last["weight"] + last["bias"]


def cross_entropy(logits, labels):
    """The mean of -log softmax(logits)[label], shifted so that exp can't overflow."""
    rows = np.arange(labels.shape[0])
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_normalizer = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(log_normalizer - shifted[rows, labels])


def loss(params, images, labels):
    return cross_entropy(perceptron(params, images), labels)


def inputs():
    """Glorot's normal weights, zero biases, and every image with its label."""
    rng = np.random.default_rng(0)
    params = []
    for fan_in, fan_out in pairwise(SIZES):
        scale = np.sqrt(2 / (fan_in + fan_out))
        weight = rng.normal(scale=scale, size=(fan_in, fan_out))
        params.append({"weight": weight, "bias": np.zeros(fan_out)})

    with np.load(DATA) as data:
        images = data["images"].reshape(-1, 64) / 16.0
        labels = data["labels"].astype(np.int64)
    return params, images, labels
