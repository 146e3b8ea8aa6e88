"""backwave: back-propagation as one wave of messages over a network, every message counted."""

from .actors.cluster import Cluster
from .actors.execute import PlannedResult, run_locally
from .protocol import errors
from .protocol.backward import Result, backward
from .protocol.differentiate import grad, value_and_grad, vjp
from .protocol.graph import Graph
from .protocol.ledger import Ledger
from .protocol.trace import Shape, trace
from .scheduler.plan import Plan, plan

__all__ = [
    "Cluster",
    "Graph",
    "Ledger",
    "Plan",
    "PlannedResult",
    "Result",
    "Shape",
    "backward",
    "errors",
    "grad",
    "plan",
    "run_locally",
    "trace",
    "value_and_grad",
    "vjp",
]
