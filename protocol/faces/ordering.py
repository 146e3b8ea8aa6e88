"""The traced forms of sorting, choosing and searching."""
