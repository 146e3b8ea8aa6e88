"""The traced forms of convolutions."""
