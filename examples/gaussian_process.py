"""A Gaussian process: how likely is the data, as the kernel's parameters change.

Any finitely many values of the unknown function are jointly normal, with covariance

    k(a, b) = s² exp(-½ Σ_d (a_d - b_d)² / l_d²)

and the data is y = m + function(x) + noise. So y is normal too, with the covariance
matrix K = k(x, x) + σ² I. With its Cholesky factor, K = L Lᵀ, the loss is -log P(y):

    f = ½ |L⁻¹ (y - m)|² + Σ log L_ii + n/2 log 2π

The first term asks for a good fit, the second for a simple function; their sum sets
a length l_d for every input. An input that does not matter gets a very long one.
"""

import numpy as np


def kernel(params, a, b):
    scaled = (a[:, np.newaxis] - b) / np.exp(params["log_lengths"])
    return np.exp(2 * params["log_scale"] - 0.5 * np.sum(scaled**2, axis=-1))


def loss(params, x, y):
    noise = np.exp(2 * params["log_noise"]) * np.eye(len(x))
    factor = np.linalg.cholesky(kernel(params, x, x) + noise)
    white = np.linalg.solve(factor, y - params["mean"])
    log_determinant = 2 * np.sum(np.log(np.diag(factor)))
    return 0.5 * (white @ white + log_determinant + len(y) * np.log(2 * np.pi))


def inputs():
    """A noisy sine of the first of two inputs; the second does not matter."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-3, 3, size=(40, 2))
    y = 0.5 + np.sin(2 * x[:, 0]) + 0.1 * rng.normal(size=40)
    params = {
        "mean": 0.0,
        "log_scale": 0.0,
        "log_lengths": np.zeros(2),
        "log_noise": np.log(0.3),
    }
    return params, x, y
