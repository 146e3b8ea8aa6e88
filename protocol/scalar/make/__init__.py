"""Making a network of scalar nodes: checked, ordered, laid out in arrays."""
