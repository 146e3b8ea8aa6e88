"""backwave: back-propagation as one wave of messages over a network, every message counted."""

from . import scipy
from .actors.cluster import Cluster
from .actors.execute import PlannedResult
from .actors.run_locally import run_locally
from .protocol import errors
from .protocol.backward import Result, backward
from .protocol.check_grads import check_grads
from .protocol.differentiate import grad, value_and_grad, vjp
from .protocol.faces.building import array, at, c_, r_
from .protocol.find_nonfinite import find_nonfinite
from .protocol.gradient_network import gradient_network, hvp_network
from .protocol.graph import Graph
from .protocol.higher import forward, hessian, hvp, jacobian, jvp
from .protocol.ledger import Ledger
from .protocol.markers import checkpoint, stop_gradient
from .protocol.network import Network
from .protocol.network.naive import naive
from .protocol.trace import Shape, trace
from .protocol.user_primitive import primitive
from .scheduler.plan import Plan, plan

__all__ = [
    "Cluster",
    "Graph",
    "Ledger",
    "Network",
    "Plan",
    "PlannedResult",
    "Result",
    "Shape",
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
    "plan",
    "primitive",
    "r_",
    "run_locally",
    "scipy",
    "stop_gradient",
    "trace",
    "value_and_grad",
    "vjp",
]
