"""How NumPy's functions and array methods map to primitives.

Some are a primitive with its arguments put in order; others are written with primitives. Options
that a network cannot hold (``out=``, ``where=``) are refused by name, never ignored.
"""

from . import indexing, joining, products, reductions, shapes, values

__all__ = ["indexing", "joining", "products", "reductions", "shapes", "values"]
