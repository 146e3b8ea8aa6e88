"""The differentiable part of ``scipy.linalg``."""
