"""Cases of padding, rolling, repeating, splitting and diagonals."""
