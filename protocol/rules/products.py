"""Products of matrices and vectors, and convolution.

For U = W Z the messages are S Zᵀ to W and Wᵀ S to Z. (The article writes S W for the latter: a
slip, as the shapes show.) Where an operand is used for a whole stack of products, its messages are
summed over the stack inside one multiplication; the stack of messages is never built.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator
from functools import partial
from string import ascii_letters
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ShapeError
from .attributes import one_of
from .einsum import SUBSCRIPTS, contract, lengths_of_labels, one_node, terms
from .elementwise import broadcast_shape
from .primitive import Abstract, apply, define

_STACK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _conjugate(z: Array) -> Array:
    return np.conjugate(z) if z.dtype.kind == "c" else z


def _message(S: Array, other: Array, target: Array, core: str) -> Array:
    """Sum the products of S and the other operand to the shape of the target.

    ``core`` are the subscripts without the stack's axes, which are the leading ones of S; an
    operand may lack some of them, or have them with length 1.
    """
    S_core, other_core, target_core = terms(core)
    stack = S.shape[: S.ndim - len(S_core)]
    left = _STACK[: len(stack)] + S_core
    right, other_shape = _own_axes(stack, other.shape, other_core)
    out, target_shape = _own_axes(stack, target.shape, target_core)
    if other.shape != other_shape:
        other = np.reshape(other, other_shape)
    message = apply("einsum", S, other, subscripts=f"{left},{right}->{out}")
    return message if target.shape == target_shape else np.reshape(message, target.shape)


def _own_axes(
    stack: tuple[int, ...], shape: tuple[int, ...], core: str
) -> tuple[str, tuple[int, ...]]:
    """Return the labels of an operand's axes, without those that were broadcast, and its shape."""
    count = len(shape) - len(core)
    labels = _STACK[len(stack) - count : len(stack)]
    whole = stack[len(stack) - count :]
    kept = [i for i in range(count) if shape[i] == whole[i]]
    return (
        "".join(labels[i] for i in kept) + core,
        tuple(shape[i] for i in kept) + shape[count:],
    )


def _message_to_left(S: Array, u: Array, w: Array, z: Array) -> Array:
    if z.ndim == 1:
        if w.ndim == 1:
            return S * z
        return _message(S, z, w, "m,n->mn")
    if w.ndim == 1:
        return z @ S if z.ndim == 2 else _message(S, z, w, "p,np->n")
    if w.ndim == z.ndim == 2:
        return S @ z.T
    return _message(S, z, w, "mp,np->mn")


def _message_to_right(S: Array, u: Array, w: Array, z: Array) -> Array:
    if w.ndim == 1:
        if z.ndim == 1:
            return S * w
        return _message(S, w, z, "p,n->np")
    if z.ndim == 1:
        return S @ w if w.ndim == 2 else _message(S, w, z, "m,mn->n")
    if w.ndim == z.ndim == 2:
        return w.T @ S
    return _message(S, w, z, "mp,mn->np")


def _stack_of(what: str, left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(left, right)
    except ValueError:
        raise ShapeError(f"{what}: the stacks {left} and {right} differ") from None


def _matmul_shape(w: Abstract, z: Abstract) -> Abstract:
    if w.ndim == 0 or z.ndim == 0:
        raise ShapeError("matmul needs at least one axis on both sides; use * with a scalar")
    left, right = w.shape, z.shape
    inner = right[-1] if z.ndim == 1 else right[-2]
    if left[-1] != inner:
        raise ShapeError(
            f"matmul of shapes {left} and {right}: the inner lengths {left[-1]} and {inner} differ"
        )
    batch = _stack_of(f"matmul of shapes {left} and {right}", left[:-2], right[:-2])
    rows = left[-2:-1] if w.ndim > 1 else ()
    columns = right[-1:] if z.ndim > 1 else ()
    return Abstract((*batch, *rows, *columns), np.result_type(w.dtype, z.dtype))


define(
    "matmul",
    operator.matmul,
    _message_to_left,
    _message_to_right,
    shape=_matmul_shape,
    flops=lambda u, w, z: 2 * u.size * w.shape[-1],
    takes={},
)


def _require_axes(name: str, left: int, right: int, a: Array, b: Array) -> None:
    """Raise unless both have the axes of a vector (1) or a matrix (2)."""
    if np.ndim(a) < left or np.ndim(b) < right:
        raise ShapeError(f"{name} of shapes {np.shape(a)} and {np.shape(b)}: an axis is missing")


def _vector_shape(name: str, left: int, right: int, a: Abstract, b: Abstract) -> Abstract:
    """Return the shape of a product of stacks of vectors (1 axis) or matrices (2)."""
    _require_axes(name, left, right, a, b)
    if a.shape[-1] != b.shape[-right]:
        raise ShapeError(
            f"{name} of shapes {a.shape} and {b.shape}: the inner lengths {a.shape[-1]} and "
            f"{b.shape[-right]} differ"
        )
    stack = _stack_of(name, a.shape[: a.ndim - left], b.shape[: b.ndim - right])
    rows = a.shape[-left:-1] if left == 2 else ()
    columns = b.shape[-1:] if right == 2 else ()
    return Abstract((*stack, *rows, *columns), np.result_type(a.dtype, b.dtype))


@one_node("vecdot")
def _vecdot(a: Array, b: Array) -> Array:
    # By matmul, as below: not every kind of array has NumPy's newer functions.
    _require_axes("vecdot", 1, 1, a, b)
    return (_conjugate(a)[..., None, :] @ b[..., None])[..., 0, 0]


@one_node("matvec")
def _matvec(a: Array, b: Array) -> Array:
    _require_axes("matvec", 2, 1, a, b)
    return (a @ b[..., None])[..., 0]


@one_node("vecmat")
def _vecmat(a: Array, b: Array) -> Array:
    _require_axes("vecmat", 1, 2, a, b)
    return (_conjugate(a)[..., None, :] @ b)[..., 0, :]


def _two_per_product(u: Abstract, a: Abstract, b: Abstract) -> int:
    return 2 * u.size * a.shape[-1]


define(
    "vecdot",
    _vecdot,
    lambda S, u, a, b: _conjugate(_message(S, b, a, ",n->n")),
    lambda S, u, a, b: _message(S, _conjugate(a), b, ",n->n"),
    shape=partial(_vector_shape, "vecdot", 1, 1),
    flops=_two_per_product,
    takes={},
)
define(
    "matvec",
    _matvec,
    lambda S, u, a, b: _message(S, b, a, "m,n->mn"),
    lambda S, u, a, b: _message(S, a, b, "m,mn->n"),
    shape=partial(_vector_shape, "matvec", 2, 1),
    flops=_two_per_product,
    takes={},
)
define(
    "vecmat",
    _vecmat,
    lambda S, u, a, b: _conjugate(_message(S, b, a, "p,np->n")),
    lambda S, u, a, b: _message(S, _conjugate(a), b, "p,n->np"),
    shape=partial(_vector_shape, "vecmat", 1, 2),
    flops=_two_per_product,
    takes={},
)


def _cross_shape(a: Abstract, b: Abstract) -> Abstract:
    if not a.shape or not b.shape or a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ShapeError(f"cross of shapes {a.shape} and {b.shape}: the vectors have not 3 entries")
    return Abstract(broadcast_shape(a, b), np.result_type(a.dtype, b.dtype))


# S·(da × b) is da·(b × S), and S·(a × db) is db·(S × a).
define(
    "cross",
    np.cross,
    lambda S, u, a, b: apply("cross", b, S),
    lambda S, u, a, b: apply("cross", S, a),
    shape=_cross_shape,
    flops=lambda u, a, b: 3 * u.size,
    takes={},
)


# Convolution: the trailing axes of both operands are convolved, the leading ones multiplied and
# summed as the subscripts say. Both messages are convolutions again, with the other operand
# reversed.


def _spatial(z: Array, labels: str) -> tuple[int, ...]:
    shape: tuple[int, ...] = z.shape[len(labels) :]
    return shape


def _lengths(a: tuple[int, ...], b: tuple[int, ...], mode: str) -> tuple[int, ...]:
    sign = 1 if mode == "full" else -1
    return tuple(m + sign * (n - 1) for m, n in zip(a, b, strict=True))


def _with_space(subscripts: str, count: int, *where: int) -> str:
    """Add labels of ``count`` convolved axes to these terms: 0 and 1 the operands, 2 the output."""
    space = "".join(sorted(set(ascii_letters) - set(subscripts)))[:count]
    left, right, out = (
        term + space if place in where else term for place, term in enumerate(terms(subscripts))
    )
    return f"{left},{right}->{out}"


def _everywhere(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, shape))


def _window(start: tuple[int, ...], shape: tuple[int, ...]) -> tuple[Any, ...]:
    return (Ellipsis, *(slice(i, i + n) for i, n in zip(start, shape, strict=True)))


def _reversed(z: Array, labels: str) -> Array:
    return z[(slice(None),) * len(labels) + (slice(None, None, -1),) * len(_spatial(z, labels))]


@one_node("convolve")
def _convolve(a: Array, b: Array, *, subscripts: str, mode: Any, method: str) -> Array:
    left, right, out = terms(subscripts)
    mine, other = _spatial(a, left), _spatial(b, right)
    made = _lengths(mine, other, mode)
    if method == "fft":
        return _by_fft(a, b, subscripts, mode, made)
    if subscripts == ",->" and len(made) == 1:
        return np.convolve(a, b, mode)
    count = len(made)
    # One product for each entry of the smallest array: b, a or, of a valid convolution, u.
    if mode == "full":
        batch = lengths_of_labels(subscripts, a.shape[: len(left)], b.shape[: len(right)])
        u = np.zeros_like(
            a,
            shape=tuple(batch[label] for label in out) + made,
            dtype=np.result_type(a.dtype, b.dtype),
        )
        if math.prod(other) <= math.prod(mine):
            step = _with_space(subscripts, count, 0, 2)
            for k in _everywhere(other):
                u[_window(k, mine)] += contract(a, b[(Ellipsis, *k)], subscripts=step)
        else:
            step = _with_space(subscripts, count, 1, 2)
            for k in _everywhere(mine):
                u[_window(k, other)] += contract(a[(Ellipsis, *k)], b, subscripts=step)
        return u
    b = _reversed(b, right)
    if math.prod(made) < math.prod(other):
        step = _with_space(subscripts, count, 0, 1)
        sums = [contract(a[_window(k, other)], b, subscripts=step) for k in _everywhere(made)]
        return np.reshape(np.stack(sums, axis=-1), (*sums[0].shape, *made))
    step = _with_space(subscripts, count, 0, 2)
    total = None
    for k in _everywhere(other):
        term = contract(a[_window(k, made)], b[(Ellipsis, *k)], subscripts=step)
        if total is None:
            total = term
        else:
            total += term
    return total


def _by_fft(a: Array, b: Array, subscripts: str, mode: str, made: tuple[int, ...]) -> Array:
    left, right, _ = terms(subscripts)
    mine, other = _spatial(a, left), _spatial(b, right)
    # A valid convolution may wrap around: what wraps lands outside it.
    lengths = tuple(map(_fast_length, made if mode == "full" else mine))
    axes = tuple(range(-len(made), 0))
    dtype = _fft_dtype(a.dtype, b.dtype)
    whole = dtype.kind == "c"
    forward, backward = (np.fft.fftn, np.fft.ifftn) if whole else (np.fft.rfftn, np.fft.irfftn)
    spectrum = contract(
        forward(a, s=lengths, axes=axes),
        forward(b, s=lengths, axes=axes),
        subscripts=_with_space(subscripts, len(made), 0, 1, 2),
    )
    u = backward(spectrum, s=lengths, axes=axes)
    first = (0,) * len(made) if mode == "full" else tuple(n - 1 for n in other)
    return u[_window(first, made)].astype(dtype)


def _fft_dtype(a: Any, b: Any) -> Any:
    dtype = np.result_type(a, b)
    return dtype if dtype.kind in "fc" else np.dtype("f8")


def _fast_length(n: int) -> int:
    """Return the least length from ``n`` up that is a product of 2, 3 and 5."""
    best = 1 << max(n - 1, 0).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            least = -(-n // three)
            best = min(best, three << max(least - 1, 0).bit_length())
            three *= 3
        five *= 5
    return best


def _convolve_shape(
    a: Abstract, b: Abstract, *, subscripts: str, mode: str, method: str
) -> Abstract:
    left, right, out = terms(subscripts)
    mine, other = _spatial(a, left), _spatial(b, right)
    if len(mine) != len(other) or not mine:
        raise ShapeError(f"convolve of shapes {a.shape} and {b.shape}: not as many axes")
    if 0 in mine + other:
        raise ShapeError(f"convolve of shapes {a.shape} and {b.shape}: one is empty")
    made = _lengths(mine, other, mode)
    if min(made) < 1:
        raise ShapeError(
            f"convolve of shapes {a.shape} and {b.shape}: where mode='valid' the first must be at "
            f"least as long as the second"
        )
    lengths = lengths_of_labels(subscripts, a.shape[: len(left)], b.shape[: len(right)])
    dtype = np.result_type(a.dtype, b.dtype)
    if method == "fft":
        dtype = _fft_dtype(a.dtype, b.dtype)
    return Abstract(tuple(lengths[label] for label in out) + made, dtype)


def _convolve_flops(
    u: Abstract, a: Abstract, b: Abstract, *, subscripts: str, mode: str, method: str
) -> int:
    left, right, out = terms(subscripts)
    mine, other, made = _spatial(a, left), _spatial(b, right), _spatial(u, out)
    lengths = lengths_of_labels(subscripts, a.shape[: len(left)], b.shape[: len(right)])
    products = math.prod(lengths.values())
    if method == "direct":
        return 2 * products * math.prod(other) * math.prod(mine if mode == "full" else made)
    joint = math.prod(made if mode == "full" else mine)
    batches = sum(math.prod(z.shape[: len(term)]) for z, term in ((a, left), (b, right), (u, out)))
    return int(batches * 2.5 * joint * math.log2(joint + 1)) + 4 * products * joint


def _turned(subscripts: str, *order: int) -> str:
    written = terms(subscripts)
    left, right, out = (written[i] for i in order)
    return f"{left},{right}->{out}"


def _convolve_message_to_left(
    S: Array, u: Array, a: Array, b: Array, *, subscripts: str, mode: str, method: str
) -> Array:
    return apply(
        "convolve",
        S,
        _reversed(b, terms(subscripts)[1]),
        subscripts=_turned(subscripts, 2, 1, 0),
        mode="valid" if mode == "full" else "full",
        method=method,
    )


def _convolve_message_to_right(
    S: Array, u: Array, a: Array, b: Array, *, subscripts: str, mode: str, method: str
) -> Array:
    a = _reversed(a, terms(subscripts)[0])
    if mode == "full":
        turned = _turned(subscripts, 2, 0, 1)
        return apply("convolve", S, a, subscripts=turned, mode="valid", method=method)
    turned = _turned(subscripts, 0, 2, 1)
    return apply("convolve", a, S, subscripts=turned, mode="valid", method=method)


define(
    "convolve",
    _convolve,
    _convolve_message_to_left,
    _convolve_message_to_right,
    shape=_convolve_shape,
    flops=_convolve_flops,
    takes={
        "subscripts": SUBSCRIPTS,
        "mode": one_of("full", "valid"),
        "method": one_of("direct", "fft"),
    },
)
