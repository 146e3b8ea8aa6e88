"""Cases of sorting and choosing."""
