"""Sorting and choosing along an axis."""
