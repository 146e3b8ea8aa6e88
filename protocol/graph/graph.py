"""The network, as data: it holds no arrays but its constants, and runs nobody's code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from time import time_ns
from typing import Any

from ..arrays import Array, settle
from ..blas import one_blas_thread
from ..errors import ArgumentError
from ..layout import Cut, Layout
from ..ledger import Ledger
from ..message import FORWARD, SUMS
from ..node import Instructions, Nodes
from ..outline import Outline
from ..parts import CONSTANT, Guard, Leaf, Node
from ..record import Recorded
from ..residents import PassOptions, Returned
from ..result import Result, Sums
from ..timeline import Span
from ..wave import sweep
from ..wires import Wires
from . import file
from .bound import BoundGraph
from .cut import cut
from .found import WorkersSums
from .mapping import mapped
from .outlined import outline
from .shipped import ShippedGraph, sources
from .signature import Argnums, Signature
from .summary import summary


class Graph(Wires):
    """A network of nodes in topological order, with one output or several.

    Attributes:
        nodes, outputs, leaves, constants, guards, recomputed: see :class:`Wires`.
        arguments: how many positional arguments the traced function took.
        argnums: the differentiated argument or arguments, None for all.
        takes, gives: the structure of the arguments and of the value, where it is known (a file
            does not hold it: the value of several outputs is then a tuple).

    """

    def __init__(
        self,
        nodes: Sequence[Node],
        outputs: Sequence[int],
        leaves: Sequence[Leaf],
        constants: dict[int, Array],
        *,
        guards: Sequence[Guard] = (),
        recomputed: Sequence[tuple[int, ...]] = (),
        name: str = "",
        arguments: int = 1,
        argnums: Argnums = None,
        takes: Any = None,
        gives: Any = None,
    ) -> None:
        super().__init__(
            nodes, outputs, leaves, constants, guards=guards, recomputed=recomputed, name=name
        )
        self.arguments = arguments
        self.argnums = argnums
        self.takes = takes
        self.gives = gives

    @cached_property
    def signature(self) -> Signature:
        """What the function takes and gives."""
        return Signature(
            self.nodes, self.leaves, self.outputs, self.arguments, self.argnums, self.gives
        )

    @cached_property
    def instructions(self) -> Instructions:
        """What all nodes do in a pass, looked up once."""
        return Instructions(self)

    # A file of it, and a table.

    def to_bytes(self) -> bytes:
        """Return the graph in its file form."""
        return file.to_bytes(self, self.arguments, self.argnums)

    @staticmethod
    def from_bytes(data: bytes | memoryview) -> Graph:
        """Read a graph from its file form, checking everything before it is used.

        Raises:
            WireError: the bytes are truncated, damaged or not a graph.
            CycleError: the network has a cycle.
            UnknownPrimitiveError: a node's primitive has no rule here.

        """
        fields = file.read(data)
        graph = Graph(**fields.wires, arguments=fields.arguments, argnums=fields.argnums)
        file.require_known(graph.nodes)
        return graph

    def save(self, path: Any) -> None:
        """Write the graph to one file, which :meth:`load` reads without running any code."""
        file.write(self.to_bytes(), path)

    @staticmethod
    def load(path: Any) -> Graph:
        """Read a graph from the file at ``path``.

        Raises:
            WireError: the bytes are truncated, damaged or not a graph.
            CycleError: the file's network has a cycle, which is named.
            UnknownPrimitiveError: a node's primitive has no rule here.

        """
        graph = Graph.from_bytes(Path(path).read_bytes())
        file.require_rules_hold(graph)
        return graph

    def summary(self) -> None:
        """Print a table of the nodes: name, inputs, value, operations and the user's line.

        A node with a dot is not between a differentiated leaf and the output.
        """
        print(summary(self))

    # What every network gives: see AnyNetwork.

    @cached_property
    def _outline(self) -> Outline:
        return outline(self)

    def outline(self) -> Outline:
        """Return the network as numbers."""
        return self._outline

    def mapped(self, mapping: Any, partitions: int) -> Sequence[int]:
        """Return the partition that the user's own mapping gives each node; -1 where none."""
        return mapped(self, mapping, partitions)

    def as_numbered(self, partition: Any) -> tuple[int, ...]:
        """Return the partition of each node; -1 for constants, which live everywhere."""
        return tuple(
            -1 if node.primitive == CONSTANT else lives
            for node, lives in zip(self.nodes, partition.tolist(), strict=True)
        )

    def cut(self, layout: Layout) -> Cut:
        """Return the part of each partition, what fires in each stage, the key of each frame."""
        return cut(self, self.outline().carries, layout)

    def whole(self, *, elsewhere: bool) -> ShippedGraph:
        """Return the graph as it travels; elsewhere its users' primitives must be imported.

        Raises:
            UnknownPrimitiveError: a primitive is defined where workers cannot import it from.

        """
        return ShippedGraph(self.to_bytes(), sources(self) if elsewhere else ())

    def bind(self, args: tuple[Any, ...], S: Any) -> BoundGraph:
        """Return the arguments, and S at the outputs (None: the article's 1), bound.

        Raises:
            ArgumentError: they do not fit.
            NotScalarError: S is not given, and the value is not one number.

        """
        values, flat = self.signature.bind(args)
        seeds = {self.output: self.first_S()} if S is None else self.signature.S_like(S)
        given = {leaf.node: value for leaf, value in zip(self.leaves, values, strict=True)}
        return BoundGraph(given, seeds, flat.structure)

    def first_S(self) -> Array:
        """Return the article's S at the one output: 1.

        Raises:
            NotScalarError: the output is not one number.

        """
        self.require_scalar()
        return self.nodes[self.output].dtype.type(1)

    def can_record(self) -> bool:
        """Return True: each message can be kept."""
        return True

    def run_here(
        self, bound: BoundGraph, options: PassOptions, curvature: Callable[[], Any]
    ) -> Result:
        """Run a pass in this process."""
        nodes = Nodes(self.instructions, check_finite=options.check_finite)
        messages: list[Recorded] = []
        heard = messages.append if options.record else None
        with one_blas_thread():
            begin = time_ns()
            for leaf, value in bound.values.items():
                nodes.put(leaf, value)
            nodes.fire(self.instructions.forward)
            turn = time_ns()
            sweep(nodes, bound.S, heard=heard)
            end = time_ns()
        nodes.counts.levels = self.wave_levels
        return Result(
            value=self.value_of(nodes.values),
            grads=self.signature.gradients(bound.structure, nodes.S),
            S=Sums(nodes.S),
            ledger=Ledger.of(self, nodes.counts),
            timeline=[
                Span(0, "forward", "compute", begin, turn),
                Span(0, "backward", "compute", turn, end),
            ],
            messages=messages,
            curvature=curvature,
        )

    def result(self, bound: BoundGraph, returned: Returned) -> Result:
        """Return the result of a pass over partitions."""
        found: dict[str, dict[int, Array]] = {FORWARD: {}, SUMS: {}}
        for frame, messages in returned.frames:
            found[frame.kind].update((key, settle(value)) for key, value in messages)
        sums = found[SUMS]
        return Result(
            value=self.value_of({**self.constants, **found[FORWARD]}),
            grads=self.signature.gradients(bound.structure, sums),
            S=WorkersSums(self, returned.partition, returned.ask, sums),
            ledger=returned.ledger,
            timeline=returned.timeline,
            plan=returned.plan,
            workers=returned.workers,
            messages=returned.messages,
            curvature=returned.curvature,
        )

    def value_of(self, values: Mapping[int, Array]) -> Any:
        """Return the outputs' values in the structure of the function's."""
        return self.signature.value([values[u] for u in self.outputs])

    def __repr__(self) -> str:
        """Say the size."""
        name = f" {self.name}" if self.name else ""
        return f"<graph{name}: V={self.num_nodes} E={self.num_edges} levels={self.num_levels}>"


def require_graph(graph: Any) -> None:
    """Raise unless this is a graph: a function is traced first."""
    if not isinstance(graph, Graph):
        raise ArgumentError(
            f"{graph!r:.60} is {type(graph).__name__}, and a graph is needed: "
            f"bw.trace(f, *args) makes one"
        )
