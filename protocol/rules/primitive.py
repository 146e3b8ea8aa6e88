"""What one node must say of itself, and the table of all primitives.

The article: "For every node u, it suffices to specify (a) how it depends on the incoming nodes,
say, z_1, ..., z_n and (b) how to compute the partial derivative times S, that is, S·∂u/∂z_j."
A :class:`Primitive` is (a) as ``forward``, (b) as ``message``, and, so that a network can be
traced and timed with no arrays at all, the output's shape and the work it takes.

Rules are written with ``np`` functions and operators on their arguments. One rule then serves
NumPy arrays, device arrays and traced nodes alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ..arrays import Array, nbytes
from ..errors import UnknownPrimitiveError

SEPARATOR = ":"
"""Stands between module and name in the name of a primitive that a user has defined."""

MessageRule = Callable[..., Array]
"""``rule(S, u, *z, **attributes)`` gives S·∂u/∂z_k, of u's shape or of z_k's.

S has u's shape. Where u broadcast z_k the rule may leave the message broadcast: it is summed back
to z_k's shape in the one place where messages are sent.
"""


class Abstract(NamedTuple):
    """The shape and dtype of a value that need not exist. A weak one is a Python scalar."""

    shape: tuple[int, ...]
    dtype: Any
    weak: type | None = None

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        size = 1
        for length in self.shape:
            size *= length
        return size


class Work(NamedTuple):
    """What one forward firing costs: floating-point operations, and bytes read and written."""

    flops: int
    bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """One kind of node.

    ``messages`` has one rule per input, None where the input has no gradient; a single rule that
    also takes the input's position serves primitives with any number of inputs (``variadic``).
    ``shape(*z, **attributes)`` maps :class:`Abstract` inputs to the :class:`Abstract` output;
    ``flops(u, *z, **attributes)`` maps them to a count of operations. ``takes`` has the kind of
    each attribute (see ``attributes.py``), to which graphs from outside are held; None leaves
    them to ``shape``.
    """

    name: str
    forward: Callable[..., Array]
    messages: tuple[MessageRule | None, ...]
    shape: Callable[..., Abstract]
    flops: Callable[..., int]
    variadic: bool = False
    takes: Mapping[str, Callable[[Any, Sequence[Abstract]], bool]] | None = None

    def message(self, position: int) -> MessageRule | None:
        """Return the rule for the message to the input at ``position``, None if it has none."""
        if not self.variadic:
            return self.messages[position] if position < len(self.messages) else None
        rule = self.messages[0]
        return None if rule is None else partial(rule, position)

    def work(self, u: Abstract, *z: Abstract, **attributes: Any) -> Work:
        """Return what it costs to compute ``u`` from ``z`` once."""
        moved = sum(nbytes(value.shape, value.dtype) for value in (u, *z))
        return Work(self.flops(u, *z, **attributes), moved)

    def __repr__(self) -> str:
        """Name it."""
        return f"<primitive {self.name}>"


class Recorded:
    """A value that records what is done to it: a traced node."""

    def record(
        self, primitive: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> Array:
        """Apply ``primitive`` to ``inputs``, of which this is one, and record it as a node."""
        raise NotImplementedError


TABLE: dict[str, Primitive] = {}
"""Every primitive, by the name that stands in graphs and graph files."""


def define(
    name: str,
    forward: Callable[..., Array],
    *messages: MessageRule | None,
    shape: Callable[..., Abstract],
    flops: Callable[..., int] | None = None,
    variadic: bool = False,
    takes: Mapping[str, Callable[[Any, Sequence[Abstract]], bool]] | None = None,
) -> Primitive:
    """Add a primitive to the table and return it.

    Args:
        name: what stands in graphs and graph files. Where ``forward`` is a ufunc or a NumPy
            function of that name, programs that call it are traced from now on; any other is
            called through :func:`apply`.
        forward: ``forward(*z, **attributes)`` gives u.
        *messages: for each input, ``message(S, u, *z, **attributes)``, or None.
        shape: maps :class:`Abstract` inputs and the attributes to the :class:`Abstract` output.
        flops: maps the output and the inputs to a count of operations; one per entry if not given.
        variadic: there is one message rule for all inputs, and it takes the position first.
        takes: the kind of each attribute, from ``rules/attributes.py``.

    Example:
        ``define("expit", scipy.special.expit, lambda S, u, z: S * u * (1 - u),
        shape=lambda z: z)``

    """
    if name in TABLE:
        raise ValueError(f"primitive {name!r} is defined twice")
    primitive = Primitive(name, forward, messages, shape, flops or one_per_entry, variadic, takes)
    TABLE[name] = primitive
    return primitive


def lookup(name: str, where: str = "") -> Primitive:
    """Return the primitive of this name; ``where`` is the user's line, for the error."""
    try:
        return TABLE[name]
    except KeyError:
        raise unknown(name, where) from None


def apply(name: str, *inputs: Array, **attributes: Any) -> Array:
    """Apply a primitive that is no NumPy function, for rules that need one.

    Traced inputs record it; arrays are computed.
    """
    primitive = TABLE[name]
    for value in inputs:
        if isinstance(value, Recorded):
            return value.record(primitive, inputs, attributes)
    return primitive.forward(*inputs, **attributes)


def unknown(name: str, where: str = "") -> UnknownPrimitiveError:
    """Make the error for an operation that has no rule: its name, and how to add one."""
    place = f"{where}: " if where else ""
    module, colon, _ = name.partition(":")
    if colon:
        return UnknownPrimitiveError(
            f"{place}{name} is a primitive of somebody's own; import {module} first"
        )
    return UnknownPrimitiveError(
        f"{place}there is no rule for {name}; write it with functions that have one, or make a "
        f"function that calls it a node with a message of your own, by @bw.primitive"
    )


def one_per_entry(u: Abstract, *z: Abstract, **attributes: Any) -> int:
    """Count one operation per entry of the output."""
    return u.size


def no_flops(u: Abstract, *z: Abstract, **attributes: Any) -> int:
    """Count nothing: the primitive only moves numbers."""
    return 0
