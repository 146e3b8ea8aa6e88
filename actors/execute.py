"""Run a plan on an engine, and make of what comes back a result."""

from __future__ import annotations

import uuid
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..protocol.arrays import Array, settle
from ..protocol.backward import Result, Span, curvature_here, gradients
from ..protocol.gradient_network import direction, hvp_network
from ..protocol.graph import Graph
from ..protocol.message import Frame
from ..protocol.pytree import flatten
from ..protocol.trace import leaf_values
from ..scheduler.plan import Plan
from ..scheduler.run import Engine, Share, drive, ledger_of, shares

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


class SumsEngine(Engine, Protocol):
    """An engine whose workers can be asked for S."""

    def sums(self, worker: int, number: int, nodes: Sequence[int]) -> Frame:
        """Return a frame with S at nodes of a worker, of pass ``number``."""


@dataclass(slots=True, kw_only=True)
class PlannedResult(Result):
    """What a run of a plan gives: a :class:`Result`, the plan, and each worker's share of it."""

    plan: Plan
    workers: list[Share]


class WorkersSums(Mapping[int, Array]):
    """S at every node, by node id or node, fetched from its worker when it is asked for.

    Asked for all (``items()``, ``values()``), each worker is called once.
    """

    def __init__(
        self, plan: Plan, engine: SumsEngine, number: int, known: Mapping[int, Array]
    ) -> None:
        assert isinstance(plan.graph, Graph)
        self._plan = plan
        self._graph = plan.graph
        self._engine = engine
        self._number = number
        self._known = dict(known)

    def __getitem__(self, node: Any) -> Array:
        """Return S at a node."""
        u = int(getattr(node, "id", node))
        if not 0 <= u < len(self._plan.partition) or not self._graph.on_network[u]:
            raise KeyError(
                f"node {u} has no S: it is not between a differentiated leaf and the output"
            )
        self._fetch([u])
        return self._known[u]

    def _fetch(self, nodes: Iterable[int]) -> None:
        missing: dict[int, list[int]] = {}
        for u in nodes:
            if u not in self._known:
                missing.setdefault(self._plan.partition[u], []).append(u)
        for worker, theirs in missing.items():
            frame = self._engine.sums(worker, self._number, theirs)
            self._known.update((u, settle(S)) for u, S in frame.open()[1])

    def items(self) -> ItemsView[int, Array]:
        """Return the nodes with their S, all fetched."""
        self._fetch(self)
        return super().items()

    def values(self) -> ValuesView[Array]:
        """Return S at all nodes, fetched."""
        self._fetch(self)
        return super().values()

    def __iter__(self) -> Iterator[int]:
        """Iterate over the ids of the nodes that have an S."""
        return (u for u, here in enumerate(self._graph.on_network) if here)

    def __len__(self) -> int:
        """Return V."""
        return self._graph.num_nodes


def new_run() -> str:
    """Return a name for a run that no other run has."""
    return uuid.uuid4().hex


def execute(
    plan: Plan,
    engine: SumsEngine,
    args: tuple[Any, ...],
    *,
    run: str,
    number: int,
    check_finite: bool = False,
    hvp: Product | None = None,
) -> PlannedResult:
    """Run one pass of a plan with these arguments, and check its ledger.

    ``hvp(graph, *args, v)`` runs a Hessian-vector product where this pass runs.
    """
    graph = plan.graph
    assert isinstance(graph, Graph)
    values, flat = leaf_values(graph, args)
    given = {leaf.node: value for leaf, value in zip(graph.leaves, values, strict=True)}
    outcome = drive(plan, engine, given, run=run, number=number, check_finite=check_finite)
    sums = {u: settle(S) for u, S in outcome.sums.items()}
    timeline: list[Span] = [span for report in outcome.reports for span in report.spans]
    return PlannedResult(
        value=settle(outcome.value),
        grads=gradients(graph, flat, sums),
        S=WorkersSums(plan, engine, number, sums),
        ledger=ledger_of(plan, outcome.reports),
        timeline=sorted(timeline, key=lambda span: span.start),
        plan=plan,
        workers=shares(plan, outcome.reports),
        curvature=lambda: _curvature(graph, args, hvp),
    )


Product = Callable[..., Result]


def _curvature(graph: Graph, args: tuple[Any, ...], hvp: Product | None) -> LinearOperator:
    if hvp is None:
        return curvature_here(graph, args)
    # Here, since what it imports (scipy.sparse.linalg) takes a tenth of a second.
    from ..protocol.hessian import operator

    structure = flatten(args).structure
    network = hvp_network(graph)
    curved = bool(network.on_network[network.output])

    def product(v: list[Array]) -> list[Array]:
        if not curved:
            return [np.zeros_like(each) for each in v]
        grads = hvp(graph, *args, direction(graph, structure, v)).grads
        return flatten((grads,)).leaves

    return operator(graph, product)
