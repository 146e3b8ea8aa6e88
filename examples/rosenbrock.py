"""The Rosenbrock function of ten variables, a classic test for optimizers.

Not a neural net: auto-differentiation asks only for an acyclic network whose
every node is a differentiable function of its incoming neighbors. Here one leaf,
the vector x, feeds the nodes above it by two slices, and its gradient is the sum
of the messages that come back through them. The minimum, f = 0 at x = (1, ..., 1),
lies in a long curved valley, where the Hessian-vector product is worth having.
"""

import numpy as np


def loss(x):
    here, after = x[:-1], x[1:]
    return np.sum(100.0 * (after - here**2) ** 2 + (1.0 - here) ** 2)


def inputs():
    """The customary starting point: -1.2 and 1 in turn."""
    return (np.tile([-1.2, 1.0], 5),)
