"""The functions of SciPy that NumPy's protocols cannot reach, under SciPy's own paths."""

from . import linalg, signal, special, stats

__all__ = ["linalg", "signal", "special", "stats"]
