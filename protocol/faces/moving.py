"""The traced forms of padding, rolling, repeating, splitting and diagonals."""
