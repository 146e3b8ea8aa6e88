"""The differentiable part of ``scipy.special``."""
