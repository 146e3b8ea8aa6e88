"""backwave: back-propagation as one wave of messages over a network, every message counted."""

from .protocol.backward import Result, backward
from .protocol.differentiate import grad, value_and_grad, vjp
from .protocol.graph import Graph
from .protocol.trace import Shape, trace

__all__ = ["Graph", "Result", "Shape", "backward", "grad", "trace", "value_and_grad", "vjp"]
