"""Cases of running sums."""
