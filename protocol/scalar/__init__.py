"""Networks of scalar nodes as arrays: built in O(V + E), run by compiled kernels, all counted."""

from .network import Network

__all__ = ["Network"]
