"""A block of a transformer at its usual proportions, with stacks of sequences as arrays.

    x = x + attend(norm(x))              4 heads of causal self-attention
    x = x + mlp(norm(x))                 gelu(x A + a) B + b, four times as wide inside
    loss = mean((x - y)²)

The block is that of Vaswani and others ("Attention is all you need", 2017), with each norm
before what it serves (Radford and others, GPT-2, 2019): the residual path then runs straight
from the loss to x, and messages along it meet no weight.

All heads, places and sequences go through one product at a time: eight large ones, which
do nearly all of the work. The target at each place is the mean of all that was read so far:
no place could know it without attention. No shape is fixed but the number of heads.
"""

import numpy as np

HEADS = 4


def norm(x, scale, shift):
    """Each row with mean 0 and variance 1, then scaled and shifted."""
    centered = x - np.mean(x, axis=-1, keepdims=True)
    return scale * centered / np.sqrt(np.var(x, axis=-1, keepdims=True) + 1e-5) + shift


def softmax(z):
    e = np.exp(z - np.max(z, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def gelu(z):
    """The usual approximation of z·P(a normal number is below z)."""
    return 0.5 * z * (1 + np.tanh((2 / np.pi) ** 0.5 * z * (1 + 0.044715 * z**2)))


def attend(params, x):
    size, sequence, width = x.shape

    def heads(z):  # (sequence in the batch, head, place, entry)
        return np.swapaxes(z.reshape(size, sequence, HEADS, width // HEADS), 1, 2)

    query, key, value = (heads(x @ params[name]) for name in ("query", "key", "value"))
    scores = query @ np.swapaxes(key, 2, 3) / (width // HEADS) ** 0.5
    past = np.tri(sequence, dtype=bool)
    weights = softmax(np.where(past, scores, -1e10))  # whose exp is 0
    seen = np.swapaxes(weights @ value, 1, 2).reshape(size, sequence, width)
    return seen @ params["gather"]


def mlp(params, x):
    hidden = gelu(x @ params["widen"] + params["widen_bias"])
    return hidden @ params["narrow"] + params["narrow_bias"]


def block(params, x):
    x = x + attend(params, norm(x, params["scale_1"], params["shift_1"]))
    return x + mlp(params, norm(x, params["scale_2"], params["shift_2"]))


def loss(params, x, y):
    """The mean square of what is missed; x and y are (sequence in the batch, place, entry)."""
    return np.mean((block(params, x) - y) ** 2)


def parameters(rng, width=256):
    """Weights that keep a variance of 1, and norms that do no more than that yet."""

    def weight(rows, columns):
        return rng.normal(size=(rows, columns)) / np.sqrt(rows)

    return {
        "scale_1": np.ones(width),
        "shift_1": np.zeros(width),
        "query": weight(width, width),
        "key": weight(width, width),
        "value": weight(width, width),
        "gather": weight(width, width),
        "scale_2": np.ones(width),
        "shift_2": np.zeros(width),
        "widen": weight(width, 4 * width),
        "widen_bias": np.zeros(4 * width),
        "narrow": weight(4 * width, width),
        "narrow_bias": np.zeros(width),
    }


def batch(rng, size=1, sequence=32, width=256):
    """Sequences of noise, and at each place the mean up to there."""
    x = rng.normal(size=(size, sequence, width))
    y = np.cumsum(x, axis=1) / np.arange(1, sequence + 1)[:, np.newaxis]
    return x, y


def inputs():
    rng = np.random.default_rng(17)
    return parameters(rng), *batch(rng)
