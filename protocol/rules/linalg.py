"""Primitives of linear algebra on stacks of matrices."""
