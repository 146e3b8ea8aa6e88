"""What runs over blocks of scalar nodes: compiled by Numba, or arrays of SciPy and CuPy."""
