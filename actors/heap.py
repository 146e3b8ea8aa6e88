"""Memory that a worker frees stays with its process.

A pass frees its arrays and the next makes as many anew. glibc hands freed memory back to the system
above a threshold that is soon reached, and then each page costs a fault again: on virtual machines
that takes as long as the arithmetic of middle-sized arrays.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them
KEPT = 2**30
"""Bytes that stay at most."""
LARGE = 2**25
"""An array of more bytes has its own pages, and gives them back."""


def keep_freed_memory() -> bool:
    """Let this process keep what it frees; return whether its C library can (glibc does)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, LARGE) and mallopt(_TRIM_THRESHOLD, KEPT))
