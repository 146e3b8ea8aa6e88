"""Saying beforehand that there is too little memory."""

from __future__ import annotations

import psutil

from ...errors import ArgumentError


def require_memory(needed: int, what: str) -> None:
    """Raise unless so many bytes are free.

    Raises:
        ArgumentError: they are not; says how many are needed and how many there are.

    """
    free = psutil.virtual_memory().available
    if needed > free:
        raise ArgumentError(
            f"{what} need some {_size(needed)} of memory, and {_size(free)} are free; "
            f"take a smaller network, or a larger machine"
        )


def _size(number: float) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"
