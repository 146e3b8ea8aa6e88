"""``backwave count``: what a network costs, and how that grows with its size."""
