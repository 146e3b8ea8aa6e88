"""The traced forms of ``np.concatenate``, ``np.stack`` and their like."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..rules.primitive import Recorded
from ..traced import user_line
from .register import face, one_axis, only, record


def _joined(arrays: Any, what: str) -> list[Any]:
    if isinstance(arrays, Recorded):
        return list(arrays)  # type: ignore[call-overload, no-any-return]
    parts = [each if hasattr(each, "ndim") else np.asarray(each) for each in arrays]
    if not parts:
        raise ShapeError(f"{user_line()}: {what} of no arrays")
    return parts


@face(np.concatenate)
def concatenate(arrays: Any, axis: Any = 0, out: Any = None, **options: Any) -> Any:
    """Trace ``np.concatenate``."""
    only("np.concatenate", out=out, **options)
    parts = _joined(arrays, "np.concatenate")
    if axis is None:
        return record("concatenate", *map(np.ravel, parts), axis=0)
    if parts[0].ndim == 0:
        raise ShapeError(f"{user_line()}: scalars cannot be concatenated; use np.stack")
    return record("concatenate", *parts, axis=one_axis(axis, parts[0].ndim))


@face(np.stack)
def stack(arrays: Any, axis: Any = 0, out: Any = None, **options: Any) -> Any:
    """Trace ``np.stack``."""
    only("np.stack", out=out, **options)
    parts = _joined(arrays, "np.stack")
    return record("stack", *parts, axis=one_axis(axis, parts[0].ndim + 1))


@face(np.hstack)
def hstack(tup: Any, **options: Any) -> Any:
    """Trace ``np.hstack``."""
    only("np.hstack", **options)
    parts = [
        np.reshape(each, (1,)) if each.ndim == 0 else each for each in _joined(tup, "np.hstack")
    ]
    return concatenate(parts, axis=0 if parts[0].ndim == 1 else 1)


@face(np.vstack)
def vstack(tup: Any, **options: Any) -> Any:
    """Trace ``np.vstack``."""
    only("np.vstack", **options)
    parts = [
        np.reshape(each, (1, each.size)) if each.ndim < 2 else each
        for each in _joined(tup, "np.vstack")
    ]
    return concatenate(parts, axis=0)
