"""Networks of scalar nodes in files of edges."""
