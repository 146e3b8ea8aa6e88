"""Cases of sums of products."""
