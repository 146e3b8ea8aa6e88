"""A tensor of low rank, completed from a third of its entries.

    T_ijk ≈ Σ_r a_ir b_jr c_kr

Each of users, films and months is described by `RANK` numbers, and a rating is the sum
over r of the products of all three. Only some ratings are known; the loss is their mean
squared misfit, with a penalty on the factors. `np.einsum` writes the sum as it stands.
"""

from typing import NamedTuple

import numpy as np

RANK = 3
PENALTY = 1e-3


class Factors(NamedTuple):
    """One row each for a user, a film and a month."""

    users: np.ndarray
    films: np.ndarray
    months: np.ndarray


def ratings(factors):
    return np.einsum("ir,jr,kr->ijk", factors.users, factors.films, factors.months)


def loss(factors, tensor, known):
    misfit = (ratings(factors) - tensor)[known]
    return np.mean(misfit**2) + PENALTY * sum(np.sum(factor**2) for factor in factors)


def random_factors(rng, sizes=(30, 20, 12)):
    return Factors(*(rng.normal(size=(size, RANK)) for size in sizes))


def inputs():
    """A noisy tensor of rank 3, every third entry known or so, and factors that know nothing."""
    rng = np.random.default_rng(13)
    tensor = ratings(random_factors(rng))
    tensor = tensor + 0.1 * rng.normal(size=tensor.shape)
    return random_factors(rng), tensor, rng.random(tensor.shape) < 1 / 3
