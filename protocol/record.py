"""Messages kept for pictures and teaching: how long each is, and a small image of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .arrays import Array

SIDE = 16
"""A thumbnail has at most so many rows, and as many columns."""


class Recorded(NamedTuple):
    """What is kept of a message.

    Attributes:
        edge: the number of its edge.
        norm: the square root of the sum of its squares, in double precision.
        thumbnail: the message itself if it is a number; else float64 or complex128[at most 16, at
            most 16]: its last axis to the right and all others downwards, each entry the mean of a
            block of it.
        copy: in which copy it was sent.

    """

    edge: int
    norm: float
    thumbnail: Any
    copy: int = 0


def recorded(
    edge: int, message: Array, get: Callable[[Array], Array] = lambda value: value
) -> Recorded:
    """Record a message; ``get`` brings an array into host memory."""
    here = np.asarray(get(message))
    wide = here.astype(np.complex128 if here.dtype.kind == "c" else np.float64)
    with np.errstate(all="ignore"):  # what is not finite is that in the picture, too
        norm = float(np.linalg.norm(wide.reshape(-1)))
        if not here.shape:
            return Recorded(edge, norm, wide[()])
        rows = wide.reshape(-1, here.shape[-1]) if here.size else np.empty((0, 0))
        return Recorded(edge, norm, _blocks(_blocks(rows).T).T)


def _blocks(rows: Any) -> Any:
    """Return the means of at most ``SIDE`` runs of rows, of nearly the same length."""
    count = len(rows)
    if count <= SIDE:
        return rows
    bounds = np.arange(SIDE + 1) * count // SIDE
    return np.add.reduceat(rows, bounds[:-1], axis=0) / np.diff(bounds)[:, np.newaxis]
