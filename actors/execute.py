"""Run a plan on an engine, and make of what comes back a result."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ..protocol.derivatives.backward import curved
from ..protocol.ledger import Counts, Ledger
from ..protocol.record import Recorded
from ..protocol.residents import Returned
from ..protocol.timeline import Share
from ..scheduler.events import Report
from ..scheduler.plan import Plan
from ..scheduler.run import Engine, Passing, Run, drive


def new_run() -> str:
    """Return a name for a run that no other run has."""
    return uuid.uuid4().hex


def execute(
    plan: Plan,
    engine: Engine,
    passing: Passing,
    *,
    args: tuple[Any, ...],
    curvature: Callable[[], Any] | None = None,
) -> Any:
    """Run one pass of a plan, and check its ledger.

    Args:
        plan: what to do.
        engine: who does it; its workers hold the parts of the plan.
        passing: the pass: its number, and ``args`` bound to the network.
        args: the arguments of the network.
        curvature: makes the Hessian, where not in this process.

    Returns:
        The network's result.

    """
    number = passing.number
    run = Run(plan, [passing], incarnations=engine.incarnations)
    drive(run, engine)
    reports, frames = run.outcome(number)
    spans = [span for report in reports for span in report.spans]
    headers = Counts(caller_bytes=engine.headers.pop(number, 0))
    returned = Returned(
        frames=frames,
        ask=lambda worker, keys: engine.ask(worker, number, keys),
        partition=plan.partition,
        parts=plan.parts,
        ledger=ledger_of(plan, reports, headers),
        timeline=sorted(spans, key=lambda span: span.start),
        plan=plan,
        workers=shares(plan, reports),
        messages=sent_messages(reports),
        curvature=curvature or partial(curved, plan.graph, args),
    )
    return plan.graph.result(passing.bound, returned)


def ledger_of(plan: Plan, reports: Iterable[Report], beside: Counts) -> Ledger:
    """Add the reports of a pass up, and hold them to the closed forms and to the plan.

    Args:
        plan: what was run.
        reports: of all its stages.
        beside: what is planned beside the frames of a pass.

    Raises:
        LedgerError: something moved that should not have, or did not that should.

    """
    counts = sum((report.counts for report in reports), Counts())
    ledger = Ledger.of(plan.graph, counts, plan.cut_edges)
    plan.hold(ledger, beside)
    return ledger


def sent_messages(reports: Iterable[Report], copy: int = 0) -> list[Recorded]:
    """Return what was recorded of the messages of a pass, in the order of their edges."""
    found = [each._replace(copy=copy) for report in reports for each in report.messages]
    return sorted(found, key=lambda each: each.edge)


def shares(plan: Plan, reports: Iterable[Report]) -> list[Share]:
    """Return what each worker had and did."""
    busy = [0] * plan.partitions
    stages = [0] * plan.partitions
    peak = [0] * plan.partitions
    for report in reports:
        peak[report.worker] = max(peak[report.worker], report.peak_bytes)
        busy[report.worker] += report.end - report.start
        stages[report.worker] += 1
    return [
        Share(p, plan.devices[p], part.size, stages[p], busy[p] / 1e9, peak[p])
        for p, part in enumerate(plan.parts)
    ]
