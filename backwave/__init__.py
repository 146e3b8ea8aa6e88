"""backwave: back-propagation as one wave of messages over a network, every message counted."""

from . import scipy
from .actors.cluster import Cluster
from .actors.local import run_locally
from .actors.session import Session, session
from .protocol import errors, optimizers
from .protocol.derivatives.backward import backward
from .protocol.derivatives.check_grads import check_grads
from .protocol.derivatives.find_nonfinite import find_nonfinite
from .protocol.derivatives.forward import forward
from .protocol.derivatives.gradient import grad, value_and_grad, vjp
from .protocol.derivatives.gradient_network import gradient_network, hvp_network
from .protocol.derivatives.higher import hessian, hvp, jacobian, jvp
from .protocol.graph.graph import Graph
from .protocol.graph.signature import Shape
from .protocol.ledger import Ledger
from .protocol.result import Result, StepResult
from .protocol.scalar import Network
from .protocol.scalar.naive import naive
from .protocol.tracing.faces.building import array, at, c_, r_
from .protocol.tracing.markers import checkpoint, stop_gradient
from .protocol.tracing.trace import trace
from .protocol.tracing.user_primitive import primitive
from .scheduler.make_plan import plan
from .scheduler.plan import Plan
from .scheduler.schedule import Schedule

__all__ = [
    "Cluster",
    "Graph",
    "Ledger",
    "Network",
    "Plan",
    "Result",
    "Schedule",
    "Session",
    "Shape",
    "StepResult",
    "array",
    "at",
    "backward",
    "c_",
    "check_grads",
    "checkpoint",
    "errors",
    "find_nonfinite",
    "forward",
    "grad",
    "gradient_network",
    "hessian",
    "hvp",
    "hvp_network",
    "jacobian",
    "jvp",
    "naive",
    "optimizers",
    "plan",
    "primitive",
    "r_",
    "run_locally",
    "scipy",
    "session",
    "stop_gradient",
    "trace",
    "value_and_grad",
    "vjp",
]
