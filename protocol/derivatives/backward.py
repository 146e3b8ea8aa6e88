"""One pass in this process: the reference that every other engine must equal in every bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from ..graph.graph import Graph
from ..residents import PassOptions, require_network
from ..result import Result
from ..scalar.network import Network
from ..scalar.result import NetworkResult

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


@overload
def backward(
    graph: Graph, *args: Any, S: Any = None, check_finite: bool = False, record: bool = False
) -> Result: ...
@overload
def backward(
    graph: Network, *args: Any, S: Any = None, check_finite: bool = False
) -> NetworkResult: ...
def backward(
    graph: Any, *args: Any, S: Any = None, check_finite: bool = False, record: bool = False
) -> Any:
    """Run one pass in this process.

    Args:
        graph: the network, from :func:`trace`; or a :class:`Network` of scalar nodes.
        *args: values of the shapes that it was traced with; of a :class:`Network` one array, the
            values of the nodes that nothing feeds, in node order.
        S: S at the output, of its shape; at several, in the structure of the function's value. By
            default the article's S = 1, for an output that is one number.
        check_finite: raise NonFiniteError at the first node where a NaN or an infinity arises.
        record: keep each message's norm and a thumbnail of at most 16 by 16 numbers, for pictures,
            as ``result.messages``; of a graph only. The pass has the same bits.

    Returns:
        The value, the gradients, S at every node, the ledger and the timeline.

    Raises:
        ArgumentError: the arguments, or S, do not fit the graph.
        NotScalarError: the output is not one number, and S is not given.
        IndependentOutputError: the output depends on nothing that is differentiated.
        GuardError: the traced program would have branched otherwise.

    Example:
        ``result = bw.backward(bw.trace(loss, w, x), w, x)``

    """
    require_network(graph)
    graph.require_dependence()
    bound = graph.bind(args, S)
    options = PassOptions(check_finite, record=record and graph.can_record())
    return graph.run_here(bound, options, lambda: curved(graph, args))


def curved(graph: Any, args: tuple[Any, ...]) -> LinearOperator:
    """Return the Hessian as an operator whose products are waves in this process."""
    # Here, since SciPy's sparse.linalg takes a tenth of a second.
    from .hessian import in_process

    return in_process(graph, args)
