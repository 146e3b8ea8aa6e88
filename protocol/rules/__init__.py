"""The table of primitives: for each, how u depends on its inputs and how S·∂u/∂z is computed."""

from . import elementwise, indexing, products, reductions, shaping
from .primitive import TABLE, Abstract, Primitive, Work, define, lookup, unknown

__all__ = [
    "TABLE",
    "Abstract",
    "Primitive",
    "Work",
    "define",
    "elementwise",
    "indexing",
    "lookup",
    "products",
    "reductions",
    "shaping",
    "unknown",
]
