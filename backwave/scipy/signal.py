"""The differentiable part of ``scipy.signal``."""
