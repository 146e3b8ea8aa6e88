"""Where nodes live and when they fire: partitions, plans, policies. Knows no Ray."""
