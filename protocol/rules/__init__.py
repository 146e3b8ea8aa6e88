"""The table of primitives: for each, how u depends on its inputs and how S·∂u/∂z is computed."""

from . import (
    cumulative,
    einsum,
    elementwise,
    fourier,
    indexing,
    linalg,
    ordering,
    products,
    reductions,
    shaping,
    special,
)
from .primitive import TABLE, Abstract, Primitive, Work, define, lookup, unknown

__all__ = [
    "TABLE",
    "Abstract",
    "Primitive",
    "Work",
    "cumulative",
    "define",
    "einsum",
    "elementwise",
    "fourier",
    "indexing",
    "linalg",
    "lookup",
    "ordering",
    "products",
    "reductions",
    "shaping",
    "special",
    "unknown",
]
