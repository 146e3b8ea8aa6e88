"""One pass in this process: the reference that every other engine must equal in every bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from time import time_ns
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from .arrays import DTYPES, Array, settle
from .blas import one_blas_thread
from .errors import ArgumentError
from .graph import Graph, Node, require_graph
from .ledger import Ledger
from .network.network import Network
from .node import Nodes, Rules, fit
from .pytree import Flat
from .sweep import sweep
from .trace import Shape, leaf_values, unflatten_gradients

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

    from .network.result import NetworkResult


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which one worker did one thing; times in ns since the epoch."""

    worker: int
    name: str
    kind: str
    start: int
    end: int
    details: dict[str, Any] = field(default_factory=dict)


class Sums(Mapping[int, Array]):
    """S at every node of the network, by node id or node: exactly ∂f/∂(node)."""

    def __init__(self, known: Mapping[int, Array]) -> None:
        self._known = known

    def __getitem__(self, node: Any) -> Array:
        """Return S at a node."""
        key = getattr(node, "id", node)
        try:
            return self._known[key]
        except KeyError:
            raise KeyError(
                f"node {key} has no S: it is not between a differentiated leaf and the output"
            ) from None

    def __iter__(self) -> Iterator[int]:
        """Iterate over the ids of the nodes that have an S."""
        return iter(sorted(self._known))

    def __len__(self) -> int:
        """Return V."""
        return len(self._known)


@dataclass(slots=True, kw_only=True)
class Result:
    """What a pass gives.

    Attributes:
        value: the output's value.
        grads: the gradient, in the structure of the differentiated arguments.
        S: S at every node.
        ledger: what moved, checked.
        timeline: what each worker did, when.

    """

    value: Array
    grads: Any
    S: Mapping[int, Array]
    ledger: Ledger
    timeline: list[Span]
    curvature: Callable[[], LinearOperator] = field(repr=False)

    @property
    def hessian(self) -> LinearOperator:
        """The Hessian at this pass's arguments, as a SciPy LinearOperator, without its entries.

        It acts on the differentiated arguments laid end to end: each product is one wave through
        the gradient network, run where this pass was. The arguments must not have been changed in
        place since.
        """
        return self.curvature()


def rules_of(graph: Graph) -> Rules:
    """Return the rules of all nodes of a graph, looked up once."""
    if graph.rules is None:
        graph.rules = Rules(graph)
    return graph.rules


def first_S(graph: Graph, S: Array | None) -> Array:
    """Return S at the one output: the article's 1, or what the caller defines it to be."""
    if S is None:
        graph.require_scalar()
        return graph.nodes[graph.output].dtype.type(1)
    return S_at(graph, graph.output, S)


def S_at(graph: Graph, u: int, S: Array) -> Array:
    """Return the S that the caller gives an output, checked and at rest."""
    return like(graph.nodes[u], S, "S at the output", "the output")


def like(node: Node, value: Any, what: str, whom: str) -> Array:
    """Return what the caller gives along with the value of a node, in its dtype and at rest.

    Raises:
        ArgumentError: it is no array, or of another shape, or complex where the node is real.

    """
    if not hasattr(value, "dtype") or isinstance(value, Shape):
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise ArgumentError(f"{what} is no array: {error}") from None
    if value.dtype.str not in DTYPES:
        raise ArgumentError(f"{what} is of dtype {value.dtype}, and {whom} {node.dtype}")
    if value.shape != node.shape:
        raise ArgumentError(f"{what} has shape {value.shape}, and {whom} {node.shape}")
    if value.dtype.kind == "c" and node.dtype.kind != "c":
        raise ArgumentError(f"{what} is complex, and {whom} is {node.dtype}")
    return fit(value, node.shape, node.dtype)


def curvature_here(graph: Graph, args: tuple[Any, ...]) -> LinearOperator:
    """Return the Hessian as an operator whose products are waves in this process."""
    # Here, since that needs this module, and SciPy's sparse.linalg takes a tenth of a second.
    from .hessian import in_process

    return in_process(graph, args)


@overload
def backward(graph: Graph, *args: Any, check_finite: bool = False) -> Result: ...
@overload
def backward(graph: Network, *args: Any, check_finite: bool = False) -> NetworkResult: ...
def backward(
    graph: Graph | Network, *args: Any, check_finite: bool = False
) -> Result | NetworkResult:
    """Run one pass in this process.

    Args:
        graph: the network, from :func:`trace`; or a :class:`Network` of scalar nodes.
        *args: values of the shapes that it was traced with; of a :class:`Network` one array, the
            values of the nodes that nothing feeds, in node order.
        check_finite: raise NonFiniteError at the first node where a NaN or an infinity arises.

    Returns:
        The value, the gradients, S at every node, the ledger and the timeline.

    Raises:
        ArgumentError: the arguments do not fit the graph.
        NotScalarError: the output is not one number.
        IndependentOutputError: the output depends on nothing that is differentiated.
        GuardError: the traced program would have branched otherwise.

    """
    if isinstance(graph, Network):
        from .network.backward import backward_network

        return backward_network(graph, *args, check_finite=check_finite)
    require_graph(graph)
    graph.require_dependence()
    S = first_S(graph, None)
    values, flat = leaf_values(graph, args)
    nodes = Nodes(rules_of(graph), check_finite=check_finite)
    with one_blas_thread():
        begin = time_ns()
        for leaf, value in zip(graph.leaves, values, strict=True):
            nodes.place(leaf.node, value)
        nodes.fire(nodes.rules.forward)
        turn = time_ns()
        sweep(nodes, {graph.output: S})
        end = time_ns()
    timeline = [
        Span(0, "forward", "compute", begin, turn),
        Span(0, "backward", "compute", turn, end),
    ]
    ledger = ledger_of(nodes)
    return Result(
        value=nodes.values[graph.output],
        grads=gradients(graph, flat, nodes.S),
        S=Sums(nodes.S),
        ledger=ledger,
        timeline=timeline,
        curvature=lambda: curvature_here(graph, args),
    )


def ledger_of(nodes: Nodes) -> Ledger:
    """Return the ledger of a pass in one place, checked."""
    graph = nodes.rules.graph
    ledger = Ledger(
        nodes=graph.num_nodes,
        edges=graph.num_edges,
        outputs=graph.num_outputs,
        **nodes.counts(),
        waves=graph.num_levels,
        inputs_without_gradient=graph.inputs_without_gradient,
    )
    ledger.check()
    return ledger


def gradients(graph: Graph, flat: Flat, S: Mapping[int, Array]) -> Any:
    """Return S at the differentiated leaves, in the structure of the arguments."""
    found: list[Any] = []
    owned: set[int] = set()
    for leaf in graph.leaves:
        if not leaf.differentiated:
            found.append(None)
        elif leaf.node in S:
            found.append(_own(S[leaf.node], owned))
        else:  # the output does not depend on this leaf
            node = graph.nodes[leaf.node]
            found.append(settle(np.zeros(node.shape, node.dtype)))
    return unflatten_gradients(graph, flat.structure, found)


def _own(value: Array, owned: set[int]) -> Array:
    """Copy a gradient that is read-only or shares memory: each may be changed in place."""
    if not isinstance(value, np.ndarray):
        return value
    root: Any = value
    while isinstance(root.base, np.ndarray):
        root = root.base
    if id(root) in owned or not value.flags.writeable:
        return value.copy(order="K")
    owned.add(id(root))
    return value
