"""A graph as one file: nodes as plain data, constants as arrays, and no code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import wire
from ..arrays import DTYPES, Array, is_float
from ..errors import BackwaveError, ShapeError, UnknownPrimitiveError, WireError
from ..parts import CONSTANT, LEAF, Guard, Leaf, Node
from ..rules import TABLE, Abstract, Primitive, lookup
from ..rules.attributes import fault
from ..rules.primitive import SEPARATOR
from ..wires import Wires
from .signature import Argnums

_SCALARS = (bool, int, float, complex)
_MAX_TEXT = 4096


def to_bytes(graph: Wires, arguments: int, argnums: Argnums) -> bytes:
    """Return a graph in its file form."""
    arrays: list[Array] = []
    constants = []
    for u, value in graph.constants.items():
        weak = type(value) in _SCALARS  # the Python scalar itself, which decides no dtype
        constants.append((u, weak))
        arrays.append(_digits(value) if _is_long(value) else np.asarray(value))
    header = {
        "format": "graph",
        "name": graph.name,
        "nodes": [
            (
                node.primitive,
                node.inputs,
                node.attributes,
                node.shape,
                np.dtype(node.dtype).str,
                node.line,
                node.name if node.primitive in (LEAF, CONSTANT) else "",
            )
            for node in graph.nodes
        ],
        "outputs": graph.outputs,
        "leaves": [
            (leaf.node, leaf.argument, leaf.path, leaf.differentiated) for leaf in graph.leaves
        ],
        "constants": constants,
        "guards": [(guard.node, guard.value, guard.line) for guard in graph.guards],
        "recomputed": graph.recomputed,
        "arguments": arguments,
        "argnums": argnums,
    }
    return wire.pack(header, arrays)


def write(data: bytes, path: Any) -> None:
    """Write a file form to ``path``, whole or not at all."""
    target = Path(path)
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


class Fields(NamedTuple):
    """What a graph file says.

    Attributes:
        wires: what :class:`Wires` is made of, by name.
        arguments: how many arguments the traced function took.
        argnums: the differentiated ones.

    """

    wires: dict[str, Any]
    arguments: int
    argnums: Argnums


def read(data: bytes | memoryview) -> Fields:
    """Read a file form, checking everything before it is used.

    Raises:
        WireError: the bytes are truncated, damaged or not a graph.
        UnknownPrimitiveError: a node's primitive has no rule here.

    """
    header, arrays = wire.unpack(data)
    if header.get("format") != "graph":
        raise WireError("these bytes are not a graph")
    try:
        found = _fields(header, arrays)
    except BackwaveError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise WireError(f"the graph is damaged: {type(error).__name__} {error}") from None
    return found


def require_known(nodes: Sequence[Node]) -> None:
    """Raise UnknownPrimitiveError unless every node's primitive has a rule here."""
    for node in nodes:
        if node.primitive not in (LEAF, CONSTANT):
            _require_known(node)


def _require_known(node: Node) -> None:
    module, separator, name = node.primitive.partition(SEPARATOR)
    if separator and node.primitive not in TABLE:
        raise UnknownPrimitiveError(
            f"{node.line}: there is no primitive {name} of {module} here; import {module}, which "
            f"defines it, before the network is read"
        )
    lookup(node.primitive, node.line)


def require_rules_hold(graph: Wires) -> None:
    """Raise unless every node is what its rule makes of its inputs.

    Raises:
        ShapeError: a node has another shape or dtype; names the node and its line.
        WireError: a node has attributes that its rule does not take.

    """
    for node in graph.nodes:
        if not node.inputs:
            continue
        rule = lookup(node.primitive, node.line)
        inputs = [_abstract(graph, z) for z in node.inputs]
        require_attributes(node, rule, inputs)
        try:
            shape, dtype, _ = rule.shape(*inputs, **node.attributes)
        except BackwaveError as error:
            raise ShapeError(f"{node.line}: {node.name}: {error}") from None
        except Exception as error:
            raise WireError(
                f"{node.line}: {node.name} is damaged: {type(error).__name__} {error}"
            ) from None
        if (shape, dtype) != (node.shape, node.dtype):
            raise ShapeError(
                f"{node.line}: {node.name} is said to be {node.dtype}{list(node.shape)}, and its "
                f"inputs make it {dtype}{list(shape)}"
            )


def require_attributes(node: Node, rule: Primitive, inputs: Sequence[Abstract]) -> None:
    """Raise unless the node has the attributes that its rule takes, of their kinds.

    Raises:
        WireError: one is missing, too many or of another kind; names the node and its line.

    """
    damage = fault(rule.takes, node.attributes, inputs) if rule.takes is not None else ""
    if damage:
        raise WireError(f"{node.line}: {node.name} is damaged: {damage}")


def _abstract(graph: Wires, u: int) -> Abstract:
    node = graph.nodes[u]
    value = graph.constants.get(u)
    # As in tracing: a Python number decides no dtype; a bool does.
    weak = type(value) if type(value) in (int, float, complex) else None
    return Abstract(node.shape, node.dtype, weak)


def _fields(header: dict[str, Any], arrays: list[np.ndarray]) -> Fields:
    nodes = [_node(u, *fields) for u, fields in enumerate(header["nodes"])]
    constants: dict[int, Array] = {}
    for (u, weak), array in zip(header["constants"], arrays, strict=True):
        node = nodes[_id(u, nodes, CONSTANT)]
        value = _constant(array, _flag(weak))
        of = Abstract((), np.dtype(type(value))) if weak else Abstract(array.shape, array.dtype)
        if of != node.abstract or u in constants:
            raise WireError(f"constant {node.name} is not what its node says")
        constants[u] = value
    arguments = _count(header["arguments"])
    leaves = []
    for u, argument, path, differentiated in header["leaves"]:
        leaf = Leaf(_id(u, nodes, LEAF), _count(argument), _text(path), _flag(differentiated))
        if argument >= arguments or (differentiated and not is_float(nodes[u].dtype)):
            raise WireError(f"leaf {leaf.path} is damaged")
        leaves.append(leaf)
    for node in nodes:
        if node.primitive == CONSTANT and node.id not in constants:
            raise WireError(f"constant {node.name} has no value")
    if sorted(leaf.node for leaf in leaves) != [n.id for n in nodes if n.primitive == LEAF]:
        raise WireError("the leaves are not the leaf nodes")
    argnums = header["argnums"]
    if argnums is not None:
        for argument in argnums if isinstance(argnums, tuple) else (argnums,):
            if type(argument) is not int or not -arguments <= argument < arguments:
                raise WireError(f"argnums {argnums!r:.40} does not fit")
    if not header["outputs"]:
        raise WireError("the network has no output")
    guards = []
    for u, value, line in header["guards"]:
        if type(value) not in (bool, int):
            raise WireError("a guard's value is damaged")
        guards.append(Guard(_id(u, nodes), value, _text(line)))
    about = {
        "nodes": nodes,
        "outputs": [_id(u, nodes) for u in header["outputs"]],
        "leaves": leaves,
        "constants": constants,
        "guards": guards,
        "recomputed": [tuple(_id(u, nodes) for u in group) for group in header["recomputed"]],
        "name": _text(header["name"]),
    }
    return Fields(about, arguments, argnums)


def _is_long(value: Any) -> bool:
    return type(value) is int and not -(2**63) <= value < 2**63


def _digits(value: int) -> np.ndarray:
    """Return a Python integer that no dtype holds, as bytes."""
    size = value.bit_length() // 8 + 1
    return np.frombuffer(value.to_bytes(size, "little", signed=True), np.uint8)


def _constant(array: np.ndarray, weak: bool) -> Array:
    """Return a constant's value: an array, a NumPy scalar, or the Python scalar that it was."""
    if weak and array.ndim == 1 and array.dtype == np.uint8:
        return int.from_bytes(array.tobytes(), "little", signed=True)
    if weak:
        return array.item()
    return array[()] if array.ndim == 0 else array


def _node(
    u: int,
    primitive: Any,
    inputs: Any,
    attributes: Any,
    shape: Any,
    dtype: Any,
    line: Any,
    name: Any,
) -> Node:
    if not isinstance(inputs, tuple) or not all(type(z) is int for z in inputs):
        raise WireError(f"node {u}: its inputs are damaged")
    if not isinstance(attributes, dict) or not all(isinstance(key, str) for key in attributes):
        raise WireError(f"node {u}: its attributes are damaged")
    if (_text(primitive) in (LEAF, CONSTANT)) != (not inputs):
        raise WireError(f"node {u}: a {primitive} with {len(inputs)} inputs")
    if not isinstance(shape, tuple):
        raise WireError(f"node {u}: its shape is damaged")
    lengths = tuple(map(_count, shape))
    return Node(u, primitive, inputs, attributes, lengths, DTYPES[dtype], _text(line), _text(name))


def _id(u: Any, nodes: list[Node], primitive: str = "") -> int:
    if type(u) is not int or not 0 <= u < len(nodes):
        raise WireError(f"there is no node {u!r:.20}")
    if primitive and nodes[u].primitive != primitive:
        raise WireError(f"node {u} is no {primitive}")
    return u


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**48:
        raise WireError(f"{value!r:.20} is no count")
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise WireError(f"{value!r:.20} is neither true nor false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise WireError(f"{value!r:.20} is no text")
    return value
