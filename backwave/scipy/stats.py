"""The differentiable part of ``scipy.stats``."""
