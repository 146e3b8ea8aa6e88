"""A mixture of normal distributions, each with a shape of its own.

    P(x) = Σ_k p_k N(x; μ_k, C_k),        C_k = L_k L_kᵀ

A factor L_k is any lower triangular matrix with a positive diagonal, so the leaves
may move freely and every covariance C_k stays positive definite: below the diagonal
stand the leaf's own numbers, and on it their exponentials. Then

    log N(x; μ, L Lᵀ) = -½ |L⁻¹ (x - μ)|² - Σ log L_ii - d/2 log 2π

and the loss is the mean of -log P(x).
"""

import numpy as np

COMPONENTS, DIMENSIONS = 3, 2


def factors(free):
    """Lower triangular matrices from free ones, and the logs of their diagonals."""
    i = np.arange(DIMENSIONS)
    log_diagonal = free[:, i, i]
    diagonal = np.exp(log_diagonal)[:, np.newaxis] * np.eye(DIMENSIONS)
    return np.tril(free, -1) + diagonal, log_diagonal


def loss(params, points):
    factor, log_diagonal = factors(params["factors"])
    centered = points - params["means"][:, np.newaxis]  # component, point, dimension
    white = np.linalg.solve(factor, np.swapaxes(centered, 1, 2))
    log_density = -0.5 * np.sum(white**2, axis=1) - np.sum(log_diagonal, axis=1, keepdims=True)
    log_weights = params["logits"] - np.logaddexp.reduce(params["logits"])
    joint = log_weights[:, np.newaxis] + log_density - 0.5 * DIMENSIONS * np.log(2 * np.pi)
    return -np.mean(np.logaddexp.reduce(joint, axis=0))


def inputs():
    """Three long clouds that point in three directions, and a guess that is round."""
    rng = np.random.default_rng(8)
    clouds = []
    for angle in 2 * np.pi / COMPONENTS * np.arange(COMPONENTS):
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        clouds.append(rng.normal(size=(80, 2)) @ np.stack([along, 0.2 * across]) + 2 * along)
    params = {
        "logits": np.zeros(COMPONENTS),
        "means": rng.normal(size=(COMPONENTS, DIMENSIONS)),
        "factors": 0.1 * rng.normal(size=(COMPONENTS, DIMENSIONS, DIMENSIONS)),
    }
    return params, np.concatenate(clouds)
