"""Cases for every rule, by family; importing this registers them all."""

from . import (
    cumulative,
    einsum,
    elementwise,
    fourier,
    indexing,
    linalg,
    marks,
    moving,
    ordering,
    products,
    reductions,
    shaping,
    special,
)
from .base import CASES, DRAWN, FLAT, Case

__all__ = [
    "CASES",
    "DRAWN",
    "FLAT",
    "Case",
    "cumulative",
    "einsum",
    "elementwise",
    "fourier",
    "indexing",
    "linalg",
    "marks",
    "moving",
    "ordering",
    "products",
    "reductions",
    "shaping",
    "special",
]
