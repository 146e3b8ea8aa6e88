"""Cutting a network of scalar nodes into the piece that each partition holds."""
