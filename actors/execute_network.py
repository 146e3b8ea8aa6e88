"""Run a plan of a scalar network on an engine, and make of what comes back a result."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..protocol.backward import Span
from ..protocol.ledger import Ledger
from ..protocol.message import CALLER, SUMS
from ..protocol.network import Network
from ..protocol.network.network import input_values
from ..protocol.network.piece import Floats
from ..protocol.network.result import WEIGHTS, NetworkResult
from ..scheduler.plan import Plan
from ..scheduler.run import Share, drive, ledger_of, shares
from .execute import SumsEngine


class PlannedNetworkResult(NetworkResult):
    """What a run of a plan gives: a :class:`NetworkResult`, the plan, and each worker's share.

    S and the gradients of parameters stay on their workers until they are asked for.
    """

    def __init__(
        self,
        value: float,
        grads: Floats,
        ledger: Ledger,
        timeline: list[Span],
        ask: Any,
        plan: Plan,
        workers: list[Share],
    ) -> None:
        super().__init__(value, grads, ledger, timeline, ask)
        self.plan = plan
        self.workers = workers


def execute_network(
    plan: Plan,
    engine: SumsEngine,
    args: tuple[Any, ...],
    *,
    run: str,
    number: int,
    check_finite: bool = False,
) -> PlannedNetworkResult:
    """Run one pass of a plan of a scalar network, and check its ledger."""
    network = plan.graph
    assert isinstance(network, Network)
    values = input_values(network, args)
    given = {
        frame.keys[0]: values[plan.pieces[frame.receiver].given[frame.number]]
        for frame in plan.frames
        if frame.sender == CALLER
    }
    outcome = drive(plan, engine, given, run=run, number=number, check_finite=check_finite)
    grads = np.zeros(len(values))
    for frame in plan.frames:
        if frame.kind == SUMS:
            grads[plan.pieces[frame.sender].given[frame.number]] = outcome.sums[frame.keys[0]]
    return PlannedNetworkResult(
        value=float(outcome.value[0]),
        grads=grads,
        ledger=ledger_of(plan, outcome.reports),
        timeline=sorted(
            (span for report in outcome.reports for span in report.spans),
            key=lambda span: span.start,
        ),
        ask=partial(_ask, plan, engine, number),
        plan=plan,
        workers=shares(plan, outcome.reports),
    )


def _ask(plan: Plan, engine: SumsEngine, number: int, what: int) -> Floats:
    """Fetch what each worker has, and put it in the maker's order."""
    network = plan.graph
    assert isinstance(network, Network)
    whole = network.piece
    size = len(whole.weight) if what == WEIGHTS else network.nodes
    found = np.zeros(size if what == WEIGHTS or not what or whole.sums else 0)
    for worker, piece in enumerate(plan.pieces):
        if not piece.nodes:
            continue  # such a worker has not been called
        ((_, values),) = engine.sums(worker, number, [what]).open()[1]
        if len(found):
            found[piece.edges if what == WEIGHTS else piece.numbers] = values
    return found
