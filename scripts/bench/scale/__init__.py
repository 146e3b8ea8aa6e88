"""``backwave bench scale``: speed and memory of scalar networks."""
