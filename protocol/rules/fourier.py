"""Discrete Fourier transforms, and their transposes."""
