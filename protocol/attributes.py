"""What a node's attributes may be: checked where a graph comes from outside, before it runs.

A rule trusts its attributes, as tracing made them. What a rule's ``shape`` would let pass stands
here; a primitive that is not in the table is left to its ``shape``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .arrays import DTYPES
from .errors import WireError
from .graph import Node
from .rules import Abstract

Inputs = Sequence[Abstract]
Kind = Callable[[Any, Inputs], bool]


def require_attributes(node: Node, inputs: Inputs) -> None:
    """Raise unless the node has the attributes that its rule takes, of their kinds.

    Raises:
        WireError: one is missing, too many or of another kind; names the node and its line.

    """
    kinds = TAKEN.get(node.primitive)
    if kinds is None:
        return
    if node.attributes.keys() != kinds.keys():
        raise WireError(
            f"{node.line}: {node.name} is damaged: it has the attributes "
            f"{', '.join(node.attributes) or 'none'}, and takes {', '.join(kinds)}"
        )
    for name, value in node.attributes.items():
        if not kinds[name](value, inputs):
            raise WireError(f"{node.line}: {node.name} is damaged: {name}={value!r:.40}")


def _is_int(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value < high


def _is_flag(value: Any, z: Inputs) -> bool:
    return type(value) is bool


def _is_number(value: Any, z: Inputs) -> bool:
    return type(value) in (int, float)


def _is_dtype(value: Any, z: Inputs) -> bool:
    return isinstance(value, str) and value in DTYPES


def _is_shape(value: Any, z: Inputs) -> bool:
    return isinstance(value, tuple) and all(_is_int(length, 0, 2**48) for length in value)


def _is_axis(value: Any, z: Inputs) -> bool:
    return _is_int(value, 0, z[0].ndim)


def _is_new_axis(value: Any, z: Inputs) -> bool:
    return _is_int(value, 0, z[0].ndim + 1)


def _is_axis_or_none(value: Any, z: Inputs) -> bool:
    return value is None or _is_axis(value, z)


def _is_axes(value: Any, z: Inputs) -> bool:
    return isinstance(value, tuple) and all(_is_axis(i, z) for i in value) and _distinct(value)


def _is_axes_or_none(value: Any, z: Inputs) -> bool:
    return value is None or _is_axes(value, z)


def _is_order(value: Any, z: Inputs) -> bool:
    return _is_axes(value, z) and len(value) == z[0].ndim


def _distinct(values: tuple[int, ...]) -> bool:
    return len(set(values)) == len(values)


def _is_index(value: Any, z: Inputs) -> bool:
    arrays = z[1:]
    return (
        isinstance(value, tuple)
        and all(_is_index_item(item, len(arrays)) for item in value)
        and value.count(("ellipsis",)) <= 1
        and all(array.dtype.kind in "biu" for array in arrays)
    )


def _is_index_item(item: Any, arrays: int) -> bool:
    if not isinstance(item, tuple) or not item:
        return type(item) is int
    if item[0] == "slice":
        bounds = item[1:]
        integers = all(bound is None or type(bound) is int for bound in bounds)
        return len(bounds) == 3 and integers and bounds[2] != 0
    if item[0] == "array":
        return len(item) == 2 and _is_int(item[1], 0, arrays)
    return item in (("newaxis",), ("ellipsis",))


_REDUCED: dict[str, Kind] = {"axis": _is_axes_or_none, "keepdims": _is_flag}
TAKEN: dict[str, dict[str, Kind]] = {
    **{name: _REDUCED for name in ("sum", "mean", "prod", "max", "min", "any", "all")},
    **{name: _REDUCED | {"ddof": _is_number} for name in ("var", "std")},
    **{name: _REDUCED | {"axis": _is_axis_or_none} for name in ("argmax", "argmin")},
    "astype": {"dtype": _is_dtype},
    "reshape": {"shape": _is_shape},
    "transpose": {"axes": _is_order},
    "broadcast_to": {"shape": _is_shape},
    "concatenate": {"axis": _is_axis},
    "stack": {"axis": _is_new_axis},
    "getitem": {"index": _is_index},
    "scatter": {"index": _is_index, "shape": _is_shape},
}
"""For each primitive the attributes that it takes, all of them, and what each may be."""
