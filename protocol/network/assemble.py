"""From nodes and edges as their maker numbers them to a piece in firing order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .order import ByTarget, in_order, lay, mark_first
from .piece import Floats, Ints, Piece

_NOTHING = np.empty(0, np.int32)
_CODES = 4 * 2**16 * 8


@dataclass(frozen=True, eq=False, slots=True)
class Definition:
    """A network as its maker numbers nodes and edges; arrays by node unless said otherwise.

    Attributes:
        names: the operations, which ``op`` names by number.
        kind, op, live, level: see :class:`Piece`, whose blocks have what its nodes have here.
        bias: empty where no node is a sum.
        source: where each edge comes from.
        weight: of each edge; empty where no node is WEIGHTED.
        by_target: the edges of each node.
        leaves: the nodes that the caller gives values.
        constants, constant_values: the nodes whose values never change.
        output: the output.

    """

    names: tuple[str, ...]
    kind: Ints
    op: Ints
    live: Ints
    level: Ints
    bias: Floats
    source: Ints
    weight: Floats
    by_target: ByTarget
    leaves: Ints
    constants: Ints
    constant_values: Floats
    output: int


@dataclass(frozen=True, eq=False, slots=True)
class Assembled:
    """The piece that holds a whole network, and where each node of the definition is in it.

    ``place`` is None where each node is at its own number.
    """

    piece: Piece
    place: Ints | None


def assemble(given: Definition) -> Assembled:
    """Put a network in firing order: by level, then by what a node does, then by number."""
    nodes, edges = len(given.level), len(given.source)
    code = (given.kind.astype(np.int64) * 2**16 + given.op + 1) * 8 + given.live
    order = in_order(given.level * np.int64(_CODES) + code)
    place = None
    if order is not None:
        place = np.empty(nodes, np.uint32)
        place[order] = np.arange(nodes, dtype=np.uint32)

    def in_place(by_node: Ints) -> Ints:
        return by_node if order is None else by_node[order]

    source = np.empty(edges, np.uint32)
    weight = np.empty(len(given.weight))
    inputs = np.zeros(nodes + 1, np.int64)
    sorting = given.by_target.edges
    moved = order is not None or sorting is not None
    numbers = np.empty(edges, np.int32 if edges < 2**31 else np.int64) if moved else _NOTHING
    lay(
        _NOTHING if order is None else order,
        _NOTHING if place is None else place,
        given.source,
        given.weight,
        given.by_target.inputs,
        _NOTHING if sorting is None else sorting,
        inputs,
        source,
        weight,
        numbers,
    )
    code, level = in_place(code), in_place(given.level)
    starts = np.flatnonzero((code[1:] != code[:-1]) | (level[1:] != level[:-1])) + 1
    start = np.concatenate([[0], starts, [nodes]])
    heads = start[:-1]
    kind, op, live = (in_place(each)[heads] for each in (given.kind, given.op, given.live))
    wave = np.flatnonzero(live)[::-1].copy()
    mark_first(wave, start, kind, live, inputs, source)

    def at(by_number: Ints) -> Ints:
        return by_number if place is None else place[by_number].astype(np.int64)

    piece = Piece(
        names=given.names,
        start=start,
        kind=kind,
        op=op,
        live=live,
        level=level[heads],
        wave=wave,
        inputs=inputs,
        source=source,
        weight=weight,
        bias=in_place(given.bias) if len(given.bias) else given.bias,
        slots=np.full(nodes + 1, nodes, np.int64),
        opens=np.zeros(nodes, np.uint8),
        extra=0,
        leaves=at(given.leaves),
        constants=at(given.constants),
        constant_values=given.constant_values,
        output=int(at(np.array([given.output]))[0]),
        numbers=order,
        edges=numbers if moved else None,
    )
    return Assembled(piece, place)
