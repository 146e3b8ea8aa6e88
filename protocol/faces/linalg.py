"""The traced forms of ``np.linalg`` and ``scipy.linalg``."""
