"""Run a plan with all its workers in this process."""

from __future__ import annotations

from typing import Any

from ..protocol.network import Network
from ..scheduler.plan import Plan
from .execute import PlannedResult, execute, new_run
from .execute_network import PlannedNetworkResult, execute_network
from .local import LocalEngine


def run_locally(
    plan: Plan, *args: Any, check_finite: bool = False
) -> PlannedResult | PlannedNetworkResult:
    """Run one pass of a plan with all its workers in this process."""
    run = new_run()
    engine = LocalEngine(plan, run)
    if isinstance(plan.graph, Network):
        return execute_network(plan, engine, args, run=run, number=0, check_finite=check_finite)
    return execute(plan, engine, args, run=run, number=0, check_finite=check_finite)
