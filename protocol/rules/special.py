"""The special functions of SciPy that act entry by entry."""
