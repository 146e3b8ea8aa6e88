"""Networks made from networks, node by node."""
