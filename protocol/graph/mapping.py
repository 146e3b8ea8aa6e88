"""Where the user's own mapping puts each node of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

from ..errors import PlanError
from ..parts import CONSTANT, LEAF, Node
from ..wires import Wires


def mapped(graph: Wires, mapping: Any, partitions: int) -> list[int]:
    """Return the partition of each node: -1 for constants, and for leaves that are left out.

    Args:
        graph: the network.
        mapping: a function of the node, a sequence with one number per node, or a mapping from
            node ids or names to numbers.
        partitions: how many there are.

    Raises:
        PlanError: a node has no partition, or one that does not exist; or the mapping names a node
            that the network does not have.

    """
    if isinstance(mapping, Mapping):
        _require_nodes(graph, mapping)
    elif not callable(mapping) and len(mapping) != len(graph.nodes):
        raise PlanError(
            f"the mapping has {len(mapping)} entries, and the network {len(graph.nodes)} nodes"
        )
    found: list[int] = []
    for node in graph.nodes:
        given: Any
        if node.primitive == CONSTANT:
            found.append(-1)
            continue
        if callable(mapping):
            given = mapping(node)
        elif isinstance(mapping, Mapping):
            given = mapping.get(node.id, mapping.get(node.name))
        else:
            given = mapping[node.id]
        left_out = given is None and node.primitive == LEAF
        found.append(-1 if left_out else _partition_number(node, given, partitions))
    return found


def _require_nodes(graph: Wires, mapping: Mapping[Any, Any]) -> None:
    known = {node.id for node in graph.nodes} | {node.name for node in graph.nodes}
    for key in mapping:
        if key not in known:
            raise PlanError(f"the mapping names node {key!r}, and the network has no such node")


def _partition_number(node: Node, given: Any, partitions: int) -> int:
    whole = isinstance(given, Integral) and not isinstance(given, bool)
    if not whole or not 0 <= int(given) < partitions:
        raise PlanError(
            f"the mapping puts node {node.id} ({node.name}) into partition {given!r}; "
            f"there are partitions 0 to {partitions - 1}"
        )
    return int(given)
