"""What a pass gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .arrays import Array
from .ledger import Ledger
from .record import Recorded
from .timeline import Share, Span

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


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
class StepResult:
    """What a step of a session gives: a pass of each copy of the network.

    Attributes:
        value: the mean, or the sum, of the copies' values, in the structure of the function's.
        values: the value of each copy.
        grads: with ``grads=True`` the sum over copies of S at the parameters, in copy order, in
            the structure of the parameters; else None.
        S: with ``keep_S=True`` S at every node, fetched when it is asked for; of several copies
            with a leading axis, one entry a copy. Else None.
        ledger: what moved, checked: messages = copies · edges.
        timeline: what each worker did, when; each span says in which pass, counted from 0.
        plan: what was run.
        workers: each worker's share of that, and the most bytes of values that it held.
        messages: with ``record=True`` each message's norm and thumbnail, by copy and edge.

    """

    value: Any
    values: Sequence[Any]
    grads: Any
    S: Mapping[int, Array] | None
    ledger: Ledger
    timeline: list[Span]
    plan: Any
    workers: Sequence[Share]
    messages: Sequence[Recorded] = ()


@dataclass(slots=True, kw_only=True)
class Result:
    """What a pass gives.

    Attributes:
        value: the output's value; of several outputs, in the structure of the function's value.
        grads: the gradient, in the structure of the differentiated arguments.
        S: S at every node; over workers each is fetched when it is asked for.
        ledger: what moved, checked.
        timeline: what each worker did, when.
        plan: what was run over workers; None in one place.
        workers: each worker's share of that.
        messages: with ``record=True`` each message's norm and thumbnail, by edge.
        curvature: makes the Hessian: see :attr:`hessian`.

    """

    value: Any
    grads: Any
    S: Mapping[int, Array]
    ledger: Ledger
    timeline: list[Span]
    plan: Any = None
    workers: Sequence[Share] = ()
    messages: Sequence[Recorded] = ()
    curvature: Callable[[], LinearOperator] = field(repr=False)

    @property
    def hessian(self) -> LinearOperator:
        """The Hessian at this pass's arguments, as a SciPy LinearOperator, without its entries.

        It acts on the differentiated arguments laid end to end: each product is one wave through
        the gradient network, run where this pass was. The arguments must not have been changed in
        place since.
        """
        return self.curvature()
