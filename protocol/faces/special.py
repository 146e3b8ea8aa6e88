"""Functions of ``scipy.special`` and ``scipy.stats`` that are no ufuncs."""
