"""How NumPy's functions and array methods map to primitives.

Some are a primitive with its arguments put in order; others are written with primitives. Options
that a network cannot hold (``out=``, ``where=``) are refused by name, never ignored.
"""

from . import (
    building,
    convolution,
    cumulative,
    einsum,
    elementwise,
    fourier,
    indexing,
    joining,
    linalg,
    moving,
    nans,
    ordering,
    polynomials,
    products,
    reductions,
    shapes,
    spaces,
    special,
    statistics,
    values,
)

__all__ = [
    "building",
    "convolution",
    "cumulative",
    "einsum",
    "elementwise",
    "fourier",
    "indexing",
    "joining",
    "linalg",
    "moving",
    "nans",
    "ordering",
    "polynomials",
    "products",
    "reductions",
    "shapes",
    "spaces",
    "special",
    "statistics",
    "values",
]
