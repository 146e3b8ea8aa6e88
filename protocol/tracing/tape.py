"""The tape: the network that is being recorded."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..arrays import Array, settle
from ..errors import BackwaveError, ShapeError, TraceError
from ..graph.graph import Graph
from ..graph.signature import require_dtype
from ..parts import CONSTANT, LEAF, Guard, Leaf, Node
from ..rules import Abstract, Primitive
from ..source_line import Origin, line_of, user_line, user_origin
from .traced import Traced

_WEAK = (bool, int, float, complex)


class Tape:
    """The network that is being recorded.

    A gradient of a gradient records inside a recording; the later tape is the inner one.
    """

    _serials = itertools.count()

    def __init__(self, abstract: bool) -> None:
        self.abstract = abstract
        self.serial = next(self._serials)
        self.closed = False
        self.derived = False  # whether a derivative was taken inside
        self.origin: Origin | None = None  # what the nodes get, if not what runs now
        self.nodes: list[Node] = []
        self.values: list[Array] = []
        self.leaves: list[Leaf] = []
        self.constants: dict[int, Array] = {}
        self.guards: dict[int, Guard] = {}
        self.recomputed: list[tuple[int, ...]] = []
        self._scalars: dict[Any, Traced] = {}
        self._arrays: dict[int, tuple[Array, Traced]] = {}

    def _add(self, node: Node, value: Array) -> Traced:
        self.nodes.append(node)
        self.values.append(value)
        return Traced(self, node.id, node.shape, node.dtype, value)

    def leaf(self, value: Array, argument: int, path: str, differentiated: bool) -> Traced:
        """Record a leaf; an :class:`Abstract` value is one that does not exist."""
        if isinstance(value, Traced):
            value.tape.derived = True
        u = len(self.nodes)
        node = Node(u, LEAF, (), {}, value.shape, np.dtype(value.dtype), name=path)
        self.leaves.append(Leaf(u, argument, path, differentiated))
        return self._add(node, None if isinstance(value, Abstract) else value)

    def constant(self, value: Any) -> Traced:
        """Record a constant, once for each Python scalar and each array."""
        if isinstance(value, _WEAK):
            key: Any = type(value), value
            if key not in self._scalars or not value:  # -0.0 == 0.0: keep zeros apart
                self._scalars[key] = self._new_constant(value)
            return self._scalars[key]
        if isinstance(value, np.generic):
            key = type(value), value.tobytes()
            if key not in self._scalars:
                self._scalars[key] = self._new_constant(value)
            return self._scalars[key]
        if isinstance(value, np.ndarray):
            known = self._arrays.get(id(value))
            if known is not None and _same(known[0], known[1].value, value):
                return known[1]
            # A copy: the program may reuse its buffer before the backward wave comes.
            traced = self._new_constant(settle(np.array(value, copy=True)))
            self._arrays[id(value)] = value, traced
            return traced
        return self._new_constant(value)

    def adopt(self, value: Any) -> Traced:
        """Record a constant that nobody will change."""
        if not isinstance(value, np.ndarray):
            return self.constant(value)
        traced = self._new_constant(value)
        self._arrays[id(traced.value)] = traced.value, traced
        return traced

    def require_open(self) -> None:
        """Raise if the trace has ended."""
        if self.closed:
            raise TraceError(
                f"{user_line()}: a traced node was kept from an earlier trace, whose network is "
                f"closed; return values from the function instead of storing them outside it"
            )

    def _new_constant(self, value: Any) -> Traced:
        if isinstance(value, Traced):
            value.tape.require_open()
        u = len(self.nodes)
        if isinstance(value, _WEAK):
            shape, dtype = (), np.dtype(type(value))
        else:
            value = settle(value if hasattr(value, "dtype") else np.asarray(value))
            shape, dtype = value.shape, value.dtype
            require_dtype(dtype, "a constant", user_line())
        self.constants[u] = value
        name = repr(value) if isinstance(value, _WEAK) else ""
        return self._add(Node(u, CONSTANT, (), {}, shape, dtype, name=name), value)

    def apply(
        self, primitive: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> Traced:
        """Record a firing of ``primitive``: a new node."""
        self.require_open()
        operands = [
            value if type(value) is Traced and value.tape is self else self.constant(value)
            for value in inputs
        ]
        if self.recomputed:
            self._keep(operands)
        origin = self.origin or user_origin()
        value = None
        try:
            if self.abstract:
                shape, dtype, _ = primitive.shape(*map(_abstract, operands), **attributes)
            else:
                value = primitive.forward(*[z.value for z in operands], **attributes)
                if type(value) is not np.float64:
                    value = settle(value)
                shape, dtype = value.shape, value.dtype
        except (ValueError, TypeError, IndexError) as error:
            if isinstance(error, BackwaveError) and not isinstance(error, ShapeError):
                raise
            shapes = ", ".join(f"{z.dtype}{list(z.shape)}" for z in operands)
            raise ShapeError(f"{line_of(origin)}: {primitive.name} of {shapes}: {error}") from error
        return self.fire(primitive.name, operands, attributes, shape, dtype, value, origin)

    def fire(
        self,
        name: str,
        inputs: Sequence[Traced],
        attributes: dict[str, Any],
        shape: tuple[int, ...],
        dtype: Any,
        value: Array = None,
        origin: Origin = "",
    ) -> Traced:
        """Record a node whose shape, dtype and value are known."""
        u = len(self.nodes)
        ids = tuple([z.id for z in inputs])
        self.nodes.append(Node(u, name, ids, attributes, shape, dtype, origin))
        self.values.append(value)
        return Traced(self, u, shape, dtype, value)

    def _keep(self, operands: Iterable[Traced]) -> None:
        """Keep a value that was to be forgotten, and is used outside its group after all."""
        for z in operands:
            if self.values[z.id] is None and not self.abstract:
                self.values[z.id] = z.value

    def guard(self, traced: Traced, value: bool | int) -> None:
        """Record that the program depended on this value."""
        self.guards.setdefault(traced.id, Guard(traced.id, value, user_line()))

    def group(self, first: int, results: Iterable[Any]) -> None:
        """Forget the values of the nodes since ``first``, but for ``results``; recompute them."""
        kept = {value.id for value in results if isinstance(value, Traced) and value.tape is self}
        nodes = [u for u in range(first, len(self.nodes)) if self.nodes[u].inputs]
        self.recomputed = [group for group in self.recomputed if group[0] < first]
        if nodes:
            self.recomputed.append(tuple(nodes))
        for u in nodes:
            if u not in kept:
                self.values[u] = None

    def graph(self, outputs: Sequence[Traced], **about: Any) -> tuple[Graph, list[Array]]:
        """Close the tape: the graph of ``outputs`` and the value of each of its nodes."""
        self.closed = True
        if self.recomputed:
            self._keep(outputs)
        kept = self._needed(output.id for output in outputs)
        new = {old: k for k, old in enumerate(kept)}
        if len(kept) < len(self.nodes):
            for old in kept:
                node = self.nodes[old]
                node.id = new[old]
                node.inputs = tuple([new[z] for z in node.inputs])
        groups = [tuple([new[u] for u in group if u in new]) for group in self.recomputed]
        graph = Graph(
            [self.nodes[old] for old in kept],
            [new[output.id] for output in outputs],
            [
                Leaf(new[leaf.node], leaf.argument, leaf.path, leaf.differentiated)
                for leaf in self.leaves
            ],
            {new[old]: value for old, value in self.constants.items() if old in new},
            guards=[Guard(new[g.node], g.value, g.line) for g in self.guards.values()],
            recomputed=[group for group in groups if group],
            **about,
        )
        values = [self.values[old] for old in kept]
        # Constants refer to the tape and it to them: without this, arrays would stay until
        # Python's collector of cycles comes by.
        for held in (self.nodes, self.values, self._scalars, self._arrays, self.constants):
            held.clear()
        return graph, values

    def _needed(self, outputs: Iterable[int]) -> list[int]:
        """Return the nodes that an output, a guard or a leaf needs, in order."""
        needed = bytearray(len(self.nodes))
        for u in outputs:
            needed[u] = 1
        for u in self.guards:
            needed[u] = 1
        for leaf in self.leaves:
            needed[leaf.node] = 1
        for node in reversed(self.nodes):
            if needed[node.id]:
                for z in node.inputs:
                    needed[z] = 1
        return [u for u, keep in enumerate(needed) if keep]


def _abstract(traced: Traced) -> Abstract:
    value = traced.value
    # A Python number decides no dtype; a bool does, as in NumPy, and so does a NumPy scalar.
    weak = type(value) if type(value) in (int, float, complex) else None
    return Abstract(traced.shape, traced.dtype, weak)


def _same(known: Any, copy: Any, value: Any) -> bool:
    if copy is value:
        return True  # it was given to the tape for good
    return known is value and copy.shape == value.shape and bool(np.all(copy == value))
