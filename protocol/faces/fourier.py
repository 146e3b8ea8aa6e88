"""The traced forms of ``np.fft``."""
