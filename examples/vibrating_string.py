"""A string that rings like a bell: eigenvalues as nodes of a network.

A string of beads, with masses m_i and springs between them, obeys M x'' = -K x. Its
frequencies are the square roots of the eigenvalues λ of M^(-1/2) K M^(-1/2), and with
equal beads they are nearly 1 : 2 : 3 : 4 : 5, as on any string. The loss asks which
masses would give another chord:

    f = Σ_k (½ log λ_k/λ_1 - log ratio_k)²

The leaf is the logs of the masses. For an eigenvector v of length one, ∂λ/∂A = v vᵀ.
"""

import numpy as np

BEADS = 24
BELL = np.array([1.0, 2.0, 2.4, 3.0, 4.0])  # hum, prime, tierce (a minor third), quint, nominal


def frequencies_squared(log_masses):
    springs = 2 * np.eye(BEADS) - np.eye(BEADS, k=1) - np.eye(BEADS, k=-1)
    light = np.exp(-0.5 * log_masses)
    eigenvalues, _ = np.linalg.eigh(springs * np.outer(light, light))
    return eigenvalues[: len(BELL)]


def loss(log_masses, ratios):
    lowest = frequencies_squared(log_masses)
    return np.sum((0.5 * np.log(lowest / lowest[0]) - np.log(ratios)) ** 2)


def inputs():
    """Almost equal beads, and the partials of a church bell."""
    rng = np.random.default_rng(15)
    return 0.1 * rng.normal(size=BEADS), BELL
