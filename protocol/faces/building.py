"""Building and changing arrays: ``bw.array``, ``bw.at``."""
