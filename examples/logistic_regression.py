"""Logistic regression: two clouds of points, and the plane that parts them.

    P(label = 1 | x) = 1 / (1 + exp(-(w · x + b)))

With labels y = +1 and -1 the probability of a label is 1 / (1 + exp(-m)), where the
margin m = y (w · x + b) is positive on the right side of the plane. The loss is its
-log, in the mean, and a penalty on the weights, without which clouds that do not
touch would send w to infinity:

    f = mean log(1 + exp(-m)) + λ/2 |w|²

`np.logaddexp(0, -m)` is log(1 + exp(-m)) that cannot overflow.
"""

import numpy as np

PENALTY = 0.01


def margins(params, points, labels):
    return labels * (points @ params["weights"] + params["bias"])


def loss(params, points, labels):
    misfit = np.mean(np.logaddexp(0.0, -margins(params, points, labels)))
    return misfit + 0.5 * PENALTY * np.sum(params["weights"] ** 2)


def inputs():
    """Two overlapping clouds of 100 points in five dimensions, and a plane that is not fitted."""
    rng = np.random.default_rng(0)
    labels = np.repeat([-1.0, 1.0], 100)
    direction = rng.normal(size=5)
    points = rng.normal(size=(200, 5)) + 0.5 * np.outer(labels, direction)
    return {"weights": 0.1 * rng.normal(size=5), "bias": 0.0}, points, labels
