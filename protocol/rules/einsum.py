"""Sums of products by named axes."""
