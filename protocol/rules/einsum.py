"""The sum of the products of two arrays, over labelled axes: ``ij,jk->ik``.

Each label stands for one length, occurs once in a term at most, and in two of the three terms (the
two operands and the output) at least. Then both messages are such sums again, of S and the other
operand: the labels change places, and nothing needs to be broadcast. What else ``np.einsum`` can
say (diagonals, sums over one operand's own axes, many operands) the faces write with this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from ..errors import ShapeError
from .primitive import Abstract, Recorded, apply, define

_FORM = re.compile(r"([a-zA-Z]*),([a-zA-Z]*)->([a-zA-Z]*)")


def terms(subscripts: str) -> tuple[str, str, str]:
    """Return the labels of the two operands and of the output."""
    left, right, out = re.split(",|->", subscripts)
    return left, right, out


def SUBSCRIPTS(value: Any, z: Sequence[Abstract]) -> bool:
    """Take subscripts of two operands in which every label occurs in two of the three terms."""
    return isinstance(value, str) and well_formed(value)


@lru_cache(maxsize=1024)
def well_formed(subscripts: str) -> bool:
    """Whether no term names a label twice, and each label occurs in two terms at least."""
    found = _FORM.fullmatch(subscripts)
    if found is None or len(subscripts) > 200:
        return False
    written = found.groups()
    everything = "".join(written)
    return all(len(set(term)) == len(term) for term in written) and all(
        everything.count(label) >= 2 for label in everything
    )


@lru_cache(maxsize=4096)
def lengths_of_labels(
    subscripts: str, a_shape: tuple[int, ...], b_shape: tuple[int, ...]
) -> dict[str, int]:
    """Return the length that each label stands for; one must not stand for two."""
    lengths: dict[str, int] = {}
    left, right, _ = terms(subscripts)
    for labels, shape in ((left, a_shape), (right, b_shape)):
        if len(labels) != len(shape):
            raise ShapeError(f"the labels {labels!r} for an array of shape {shape}")
        for label, length in zip(labels, shape, strict=True):
            if lengths.setdefault(label, length) != length:
                raise ShapeError(
                    f"einsum {subscripts!r} of shapes {a_shape} and {b_shape}: "
                    f"{label!r} is {lengths[label]} and {length} long"
                )
    return lengths


class _Plan(NamedTuple):
    """How the sum is one product of (stacks of) matrices: the labels of each kind of axis."""

    left: str
    right: str
    out: str
    stack: str
    rows: str
    joined: str
    columns: str
    swapped: bool  # compute the product's transpose
    merged: bool  # the stack's axes may be joined in one: no operand has only some of them


def _kinds(left: str, right: str, out: str, stack: str) -> _Plan:
    joined = "".join(i for i in left if i in right and i not in out)
    rows = "".join(i for i in left if i not in right and i not in stack)
    columns = "".join(i for i in right if i not in left and i not in stack)
    swapped = bool(columns) and out == stack + columns + rows
    merged = all(set(stack) <= set(term) or not set(stack) & set(term) for term in (left, right))
    return _Plan(left, right, out, stack, rows, joined, columns, swapped, merged)


def _moves_nothing(plan: _Plan) -> bool:
    """Whether the operands and the product lie in memory as the matrices need them."""
    stack, rows, joined, columns = plan.stack, plan.rows, plan.joined, plan.columns
    mine = "".join(i for i in stack if i in plan.left)
    other = "".join(i for i in stack if i in plan.right)
    return (
        plan.left in (mine + rows + joined, mine + joined + rows)
        and plan.right in (other + columns + joined, other + joined + columns)
        and plan.out in (stack + rows + columns, stack + columns + rows)
    )


@lru_cache(maxsize=4096)
def _plan(subscripts: str) -> _Plan:
    left, right, out = terms(subscripts)
    stack = "".join(i for i in out if i in left and i in right)
    plan = _kinds(left, right, out, stack)
    if plan.joined and not _moves_nothing(plan):
        # Leading axes of one operand that lead the output too may be a stack as well, against
        # one matrix of the other: ncyx,oc->noyx is then, for each n, oc times c(yx).
        for labels in (left, right):
            for count in range(1, len(labels)):
                if not out.startswith(labels[:count]):
                    break
                other = _kinds(left, right, out, labels[:count])
                if set(stack) <= set(other.stack) and _moves_nothing(other):
                    return other
    return plan


def _order(labels: str, wanted: str) -> tuple[int, ...] | None:
    return None if labels == wanted else tuple(labels.index(i) for i in wanted)


class _Move(NamedTuple):
    """How an operand becomes matrices: an order of its axes, a shape, a transpose of the last."""

    order: tuple[int, ...] | None
    shape: tuple[int, ...] | None
    flipped: bool = False

    def __call__(self, a: Array) -> Array:
        if self.order is not None:
            a = np.transpose(a, self.order)
        if self.shape is not None:
            a = np.reshape(a, self.shape)
        return np.swapaxes(a, -1, -2) if self.flipped else a


def _beside(labels: str, shape: tuple[int, ...], out: str) -> _Move:
    """Give an operand all the axes of the output, those that it lacks with length 1."""
    order = _order(labels, "".join(i for i in out if i in labels))
    if len(labels) == len(out):
        return _Move(order, None)
    lengths = dict(zip(labels, shape, strict=True))
    return _Move(order, tuple(lengths.get(i, 1) for i in out))


def _matrices(
    labels: str, shape: tuple[int, ...], lengths: dict[str, int], plan: _Plan, first: str, last: str
) -> _Move:
    """Make an operand a stack of matrices, the axes ``first`` by the axes ``last``."""
    mine = "".join(i for i in plan.stack if i in labels)
    flipped = labels == mine + last + first
    if not flipped and labels != mine + first + last:
        flipped = bool(labels) and labels[-1] in first  # so that the last axis stays the last
    if flipped:
        first, last = last, first
    wanted: tuple[int, ...] = (_joint(first, lengths), _joint(last, lengths))
    if plan.merged:
        wanted = ((_joint(mine, lengths),) if mine else ()) + wanted
    else:
        wanted = (*(lengths[i] if i in mine else 1 for i in plan.stack), *wanted)
    order = _order(labels, mine + first + last)
    now = shape if order is None else tuple(shape[i] for i in order)
    return _Move(order, None if now == wanted else wanted, flipped)


def _joint(labels: str, lengths: dict[str, int]) -> int:
    size = 1
    for label in labels:
        size *= lengths[label]
    return size


class _Steps(NamedTuple):
    """The whole sum, worked out for these shapes."""

    left: _Move
    right: _Move
    joined: bool  # a product of matrices, else of entries
    swapped: bool
    result: _Move


_AS_IT_IS = _Move(None, None)


@lru_cache(maxsize=4096)
def _steps(subscripts: str, a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> _Steps:
    plan = _plan(subscripts)
    left, right, out = plan.left, plan.right, plan.out
    if not plan.joined:
        moves = _beside(left, a_shape, out), _beside(right, b_shape, out)
        return _Steps(*moves, False, False, _AS_IT_IS)
    lengths = lengths_of_labels(subscripts, a_shape, b_shape)
    stack, rows, joined, columns = plan.stack, plan.rows, plan.joined, plan.columns
    # Where the product is swapped, so are the sides that are joined.
    a_sides, b_sides = ((joined, rows), (columns, joined))
    if not plan.swapped:
        a_sides, b_sides = ((rows, joined), (joined, columns))
    made = stack + (columns + rows if plan.swapped else rows + columns)
    # The matrices have one axis each for rows and columns, and the stack's in one.
    plain = len(rows) == len(columns) == 1 and (not plan.merged or len(stack) <= 1)
    shape = None if plain else tuple(lengths[i] for i in made)
    return _Steps(
        _matrices(left, a_shape, lengths, plan, *a_sides),
        _matrices(right, b_shape, lengths, plan, *b_sides),
        True,
        plan.swapped,
        _Move(_order(made, out), shape),
    )


def one_node(name: str) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Make a forward rule of many steps record one node where it is given traced nodes.

    It is given them where a trace runs inside another: a gradient of a gradient.
    """

    def wrap(forward: Callable[..., Array]) -> Callable[..., Array]:
        @wraps(forward)
        def guarded(*z: Array, **attributes: Any) -> Array:
            if any(isinstance(value, Recorded) for value in z):
                return apply(name, *z, **attributes)
            return forward(*z, **attributes)

        return guarded

    return wrap


@one_node("einsum")
def contract(a: Array, b: Array, *, subscripts: str) -> Array:
    """Sum the products: one multiplication of (stacks of) matrices, or of entries."""
    if len(a.shape) == len(b.shape) == 1 and len(subscripts) == 7:
        return np.einsum(subscripts, a, b)  # an outer product: half the time of broadcasting
    steps = _steps(subscripts, a.shape, b.shape)
    a, b = steps.left(a), steps.right(b)
    if not steps.joined:
        return a * b
    product = b @ a if steps.swapped else a @ b
    order, shape, _ = steps.result
    if shape is not None:
        product = np.reshape(product, shape)
    return product if order is None else np.transpose(product, order)


def _shape(a: Abstract, b: Abstract, *, subscripts: str) -> Abstract:
    lengths = lengths_of_labels(subscripts, a.shape, b.shape)
    shape = tuple(lengths[label] for label in terms(subscripts)[2])
    return Abstract(shape, np.result_type(a.dtype, b.dtype))


def _flops(u: Abstract, a: Abstract, b: Abstract, *, subscripts: str) -> int:
    lengths = lengths_of_labels(subscripts, a.shape, b.shape)
    joined = _plan(subscripts).joined
    return 2 * u.size * _joint(joined, lengths) if joined else u.size


def _message_to_left(S: Array, u: Array, a: Array, b: Array, *, subscripts: str) -> Array:
    left, right, out = terms(subscripts)
    return apply("einsum", S, b, subscripts=f"{out},{right}->{left}")


def _message_to_right(S: Array, u: Array, a: Array, b: Array, *, subscripts: str) -> Array:
    left, right, out = terms(subscripts)
    return apply("einsum", a, S, subscripts=f"{left},{out}->{right}")


define(
    "einsum",
    contract,
    _message_to_left,
    _message_to_right,
    shape=_shape,
    flops=_flops,
    takes={"subscripts": SUBSCRIPTS},
)
