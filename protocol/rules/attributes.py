"""What an attribute of a node may be: plain data, of a kind that the primitive names.

A rule trusts its attributes, as tracing made them. Where a graph comes from outside they are held
to these kinds before anything runs. A kind is a test of the value and the node's inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..arrays import DTYPES
from .primitive import Abstract

Inputs = Sequence[Abstract]
Kind = Callable[[Any, Inputs], bool]


def _is_int(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value < high


def _distinct(values: tuple[int, ...]) -> bool:
    return len(set(values)) == len(values)


def FLAG(value: Any, z: Inputs) -> bool:
    """Take True or False."""
    return type(value) is bool


def NUMBER(value: Any, z: Inputs) -> bool:
    """Take a real Python number."""
    return type(value) in (int, float)


def INTEGER(value: Any, z: Inputs) -> bool:
    """Take any whole number that fits a machine word."""
    return _is_int(value, -(2**62), 2**62)


def COUNT(value: Any, z: Inputs) -> bool:
    """Take a whole number from 0 up."""
    return _is_int(value, 0, 2**48)


def DTYPE(value: Any, z: Inputs) -> bool:
    """Take the name of a dtype that a node may have."""
    return isinstance(value, str) and value in DTYPES


def SHAPE(value: Any, z: Inputs) -> bool:
    """Take a shape."""
    return isinstance(value, tuple) and all(_is_int(length, 0, 2**48) for length in value)


def AXIS(value: Any, z: Inputs) -> bool:
    """Take an axis of the first input, counted from 0."""
    return _is_int(value, 0, z[0].ndim)


def NEW_AXIS(value: Any, z: Inputs) -> bool:
    """Take the place of a new axis beside those of the first input."""
    return _is_int(value, 0, z[0].ndim + 1)


def AXES(value: Any, z: Inputs) -> bool:
    """Take distinct axes of the first input."""
    return isinstance(value, tuple) and all(AXIS(i, z) for i in value) and _distinct(value)


def ORDER(value: Any, z: Inputs) -> bool:
    """Take all axes of the first input, in some order."""
    return AXES(value, z) and len(value) == z[0].ndim


def optional(kind: Kind) -> Kind:
    """Take None too."""
    return lambda value, z: value is None or kind(value, z)


def one_of(*choices: Any) -> Kind:
    """Take one of these, of the same type."""
    return lambda value, z: any(type(value) is type(c) and value == c for c in choices)


def each(kind: Kind) -> Kind:
    """Take a tuple of such values."""
    return lambda value, z: isinstance(value, tuple) and all(kind(item, z) for item in value)


def INDEX(value: Any, z: Inputs) -> bool:
    """Take the template of an index whose index arrays are the other inputs."""
    arrays = z[1:]
    return (
        isinstance(value, tuple)
        and all(_is_index_item(item, arrays) for item in value)
        and value.count(("ellipsis",)) <= 1
        and all(array.dtype.kind in "biu" for array in arrays)
    )


def _is_index_item(item: Any, arrays: Inputs) -> bool:
    if not isinstance(item, tuple) or not item:
        return type(item) is int
    if item[0] == "slice":
        bounds = item[1:]
        integers = all(bound is None or type(bound) is int for bound in bounds)
        return len(bounds) == 3 and integers and bounds[2] != 0
    if item[0] == "array":
        is_array = len(item) == 2 and _is_int(item[1], 0, len(arrays))
        return is_array and arrays[item[1]].dtype.kind in "iu"
    if item[0] == "mask":
        is_mask = len(item) == 3 and _is_int(item[1], 0, len(arrays)) and COUNT(item[2], arrays)
        return is_mask and arrays[item[1]].dtype.kind == "b"
    return item in (("newaxis",), ("ellipsis",))


def fault(kinds: Mapping[str, Kind], attributes: Mapping[str, Any], inputs: Inputs) -> str:
    """Say which attribute is missing, too many or of another kind; empty if none is."""
    if attributes.keys() != kinds.keys():
        return (
            f"it has the attributes {', '.join(attributes) or 'none'}, "
            f"and takes {', '.join(kinds) or 'none'}"
        )
    for name, value in attributes.items():
        if not kinds[name](value, inputs):
            return f"{name}={value!r:.40}"
    return ""
