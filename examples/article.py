"""A small network like those of the article's figures: every node is one number.

The input nodes z1, z2, z3 are at the bottom and the output f is on the top. A
hidden node u is a weighted sum of nodes below it, passed through a non-linear
activation; each weight is a leaf node of its own.

    f = (y - 1)^2                        the training loss, one node more
    y = w7 u3 + w8 u4 + skip z1          the old output
    u3 = tanh(w4 u1 + tied u2)           u4 = tanh(w5 u1 + w6 u2)
    u1 = tanh(w1 z1 + w2 z2)             u2 = tanh(tied z2 + w3 z3)

Two weights are worth watching. `tied` serves two edges, z2 to u2 and u2 to u3
(weight tying): its gradient is the sum of the gradients with respect to the two
occurrences. `skip` is on an edge that passes over both hidden levels, from z1
to y: messages go between any two levels, not only neighboring ones.
"""

import numpy as np


def loss(weights, inputs):
    w, (z1, z2, z3) = weights, inputs
    u1 = np.tanh(w["w1"] * z1 + w["w2"] * z2)
    u2 = np.tanh(w["tied"] * z2 + w["w3"] * z3)
    u3 = np.tanh(w["w4"] * u1 + w["tied"] * u2)
    u4 = np.tanh(w["w5"] * u1 + w["w6"] * u2)
    y = w["w7"] * u3 + w["w8"] * u4 + w["skip"] * z1
    return np.square(y - 1.0)


def inputs():
    """Weights of both signs, small enough that no activation saturates."""
    weights = {
        "w1": 0.5,
        "w2": -0.3,
        "w3": 0.8,
        "w4": 0.7,
        "w5": -0.6,
        "w6": 0.9,
        "w7": 1.1,
        "w8": -0.4,
        "tied": 0.2,
        "skip": 0.1,
    }
    return weights, (1.0, -2.0, 1.5)
