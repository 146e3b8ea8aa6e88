"""Where the nodes of a scalar network live and when they fire, planned on arrays."""
