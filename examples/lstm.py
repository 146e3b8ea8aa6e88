"""A long short-term memory that reads four lines of Blake at once.

The memory c is kept by one gate, written by a second and shown by a third; all are
sigmoids of what is read (x) and of what was shown last (h):

    [i, f, o, g] = [x_t, h_(t-1)] W + b
    c_t = σ(f) c_(t-1) + σ(i) tanh(g)
    h_t = σ(o) tanh(c_t)

While the gate f stays open, the message along c_t to c_(t-1) is hardly weakened:
that is why an LSTM can learn what lies many steps apart.
"""

from itertools import pairwise

import numpy as np

LINES = ["Tyger Tyger, burning bright,", "In the forests of the night;"]
LINES += ["What immortal hand or eye,", "Could frame thy fearful symmetry?"]
HIDDEN = 12


def sigmoid(z):
    return 0.5 * (np.tanh(0.5 * z) + 1.0)


def step(params, x, h, c):
    i, f, o, g = np.split(np.hstack([x, h]) @ params["gates"] + params["bias"], 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def loss(params, text):
    """The mean surprise at each next character; text is (step, line, one-hot character)."""
    h = c = np.zeros((text.shape[1], HIDDEN))
    surprise = 0.0
    for x, following in pairwise(text):
        h, c = step(params, x, h, c)
        logits = h @ params["out"] + params["out_bias"]
        normalizer = np.log(np.sum(np.exp(logits), axis=1))
        surprise = surprise + np.mean(normalizer - np.sum(logits * following, axis=1))
    return surprise / (len(text) - 1)


def inputs():
    """The lines, filled up to one length with spaces; gates f that begin open."""
    rng = np.random.default_rng(3)
    length = max(map(len, LINES))
    lines = np.array([list(line.ljust(length)) for line in LINES])
    alphabet, codes = np.unique(lines, return_inverse=True)
    size = len(alphabet)
    text = np.eye(size)[codes.reshape(lines.shape).T]
    params = {
        "gates": rng.normal(size=(size + HIDDEN, 4 * HIDDEN)) / np.sqrt(HIDDEN),
        "bias": np.repeat([0.0, 1.0, 0.0, 0.0], HIDDEN),
        "out": rng.normal(size=(HIDDEN, size)) / np.sqrt(HIDDEN),
        "out_bias": np.zeros(size),
    }
    return params, text
