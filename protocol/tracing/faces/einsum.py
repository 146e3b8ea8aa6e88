"""The traced forms of ``np.einsum`` and of products written with it."""

from __future__ import annotations

import string
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import ShapeError, TraceError
from ...rules.einsum import lengths_of_labels, well_formed
from ...rules.primitive import Recorded, apply
from ...source_line import user_line
from .register import array_of, face, one_axis, only

LETTERS = string.ascii_uppercase + string.ascii_lowercase  # in the order in which they sort

Operand = tuple[Array, str]
"""An array and the labels of its axes."""


@face(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = False, **options: Any) -> Any:
    """Trace ``np.einsum``: a chain of sums of products of two, in the best order found."""
    if len(operands) == 3 and out is None and not options:
        text, a, b = operands
        if isinstance(text, str) and isinstance(a, Recorded) and isinstance(b, Recorded):
            subscripts = _of_two(text, a.shape, b.shape)  # type: ignore[attr-defined]
            if subscripts is not None:
                return apply("einsum", a, b, subscripts=subscripts)
    if options.get("order") == "K":
        del options["order"]
    if options.get("casting") == "safe":
        del options["casting"]
    only("np.einsum", out=out, **options)
    written, output, arrays = _read(operands)
    if len(written) != len(arrays):
        raise ShapeError(
            f"{user_line()}: np.einsum has {len(written)} terms and {len(arrays)} operands"
        )
    written, output = _without_ellipsis(written, output, arrays)
    return _sum_of_products(list(zip(arrays, written, strict=True)), output, optimize)


@lru_cache(maxsize=1024)
def _of_two(text: str, a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> str | None:
    """Return the subscripts if they are one sum of products as they stand, else None."""
    subscripts = text.replace(" ", "")
    if not well_formed(subscripts):
        return None
    try:
        lengths_of_labels(subscripts, a_shape, b_shape)
    except ShapeError:
        return None  # a length of 1 that broadcasts, or a mistake
    return subscripts


def _read(operands: tuple[Any, ...]) -> tuple[list[str], str | None, list[Array]]:
    """Return the terms, the output's term (None where it is implied) and the arrays."""
    if operands and isinstance(operands[0], str):
        text = "".join(operands[0].split())
        inputs, arrow, output = text.partition("->")
        if set(text.replace("->", "").replace("...", "")) - {*LETTERS, ","} or "," in output:
            raise ShapeError(f"{user_line()}: np.einsum cannot read the subscripts {text!r}")
        arrays = [array_of(each) for each in operands[1:]]
        return inputs.split(","), output if arrow else None, arrays
    arrays = [array_of(each) for each in operands[: len(operands) // 2 * 2 : 2]]
    lists = [_letters(each) for each in operands[1::2]]
    return lists, _letters(operands[-1]) if len(operands) % 2 else None, arrays


def _letters(labels: Any) -> str:
    try:
        return "".join("..." if each is Ellipsis else LETTERS[each] for each in labels)
    except (TypeError, IndexError):
        raise ShapeError(
            f"{user_line()}: np.einsum takes lists of labels from 0 to 51, not {labels!r:.40}"
        ) from None


def _without_ellipsis(
    written: Sequence[str], output: str | None, arrays: Sequence[Array]
) -> tuple[list[str], str]:
    """Write the ellipses out with letters of their own, and the output where it is implied."""
    where = user_line()
    used = set("".join(written)) | set(output or "")
    free = [letter for letter in LETTERS if letter not in used]
    plain: list[str] = []
    longest = 0
    for term, array in zip(written, arrays, strict=True):
        named = len(term.replace("...", ""))
        extra = array.ndim - named
        if extra < 0 or (extra and "..." not in term) or term.count("...") > 1:
            raise ShapeError(
                f"{where}: np.einsum has the labels {term!r} for an operand of shape {array.shape}"
            )
        if extra > len(free):
            raise ShapeError(f"{where}: np.einsum has more axes than there are letters")
        longest = max(longest, extra)
        plain.append(term.replace("...", "".join(free[:extra][::-1])))
    ellipsis = "".join(free[:longest][::-1])
    everything = "".join(written).replace("...", "")
    if output is None:
        once = sorted(label for label in set(everything) if everything.count(label) == 1)
        return plain, ellipsis + "".join(once)
    if longest and "..." not in output:
        raise ShapeError(f"{where}: np.einsum needs '...' in the output {output!r} too")
    named_output = output.replace("...", "")
    unknown = set(named_output) - set(everything)
    if unknown or len(set(named_output)) < len(named_output) or output.count("...") > 1:
        raise ShapeError(
            f"{where}: np.einsum has the output {output!r}, and each of its labels must be one of "
            f"the operands' and stand there once"
        )
    return plain, output.replace("...", ellipsis)


def _sum_of_products(operands: list[Operand], output: str, optimize: Any) -> Array:
    operands = _of_one_length([_diagonal(*operand) for operand in operands])
    for positions in _path(
        tuple(labels for _, labels in operands),
        tuple(array.shape for array, _ in operands),
        output,
        _frozen(optimize),
    ):
        chosen = [operands[place] for place in positions]
        operands = [each for place, each in enumerate(operands) if place not in positions]
        product = chosen[0]
        for place in range(1, len(chosen)):
            rest = "".join(labels for _, labels in chosen[place + 1 :] + operands)
            product = _pair(product, chosen[place], output, rest)
        operands.append(product)
    (array, labels) = _summed(*operands[0], output)
    if labels == output:
        return array
    return np.transpose(array, tuple(labels.index(label) for label in output))


def _diagonal(array: Array, labels: str) -> Operand:
    """Take the diagonal of axes that have the same label."""
    for label in dict.fromkeys(labels):
        times = labels.count(label)
        if times == 1:
            continue
        equal = [axis for axis, each in enumerate(labels) if each == label]
        others = [axis for axis, each in enumerate(labels) if each != label]
        length = array.shape[equal[0]]
        if any(array.shape[axis] != length for axis in equal):
            raise ShapeError(
                f"{user_line()}: np.einsum of an operand of shape {array.shape} with the labels "
                f"{labels!r}: the lengths of {label!r} differ"
            )
        # Side by side and joined, the diagonal's entries lie one step apart.
        if equal != list(range(times)):
            array = np.transpose(array, (*equal, *others))
        array = np.reshape(array, (length**times, *array.shape[times:]))
        array = array[:: sum(length**power for power in range(times))]
        labels = label + labels.replace(label, "")
    return array, labels


def _of_one_length(operands: list[Operand]) -> list[Operand]:
    """Drop the axes of length 1 that stand against longer ones of the same label."""
    lengths: dict[str, int] = {}
    for array, labels in operands:
        for label, length in zip(labels, array.shape, strict=True):
            known = lengths.setdefault(label, length)
            if known == 1:
                lengths[label] = length
            elif length not in (1, known):
                raise ShapeError(
                    f"{user_line()}: np.einsum has operands of lengths {known} and {length} for "
                    f"the label {label!r}"
                )
    fitted = []
    for array, labels in operands:
        kept = [i for i, label in enumerate(labels) if array.shape[i] == lengths[label]]
        if len(kept) < len(labels):
            array = np.reshape(array, tuple(array.shape[i] for i in kept))
            labels = "".join(labels[i] for i in kept)
        fitted.append((array, labels))
    return fitted


def _frozen(optimize: Any) -> Any:
    if isinstance(optimize, list | tuple):
        return tuple(_frozen(each) for each in optimize)
    return optimize


@lru_cache(maxsize=256)
def _path(
    written: tuple[str, ...], shapes: tuple[tuple[int, ...], ...], output: str, optimize: Any
) -> list[tuple[int, ...]]:
    """Return which operands to multiply in each step; a product goes to the end of the list."""
    count = len(written)
    if count == 1:
        return []
    if count == 2:
        return [(0, 1)]
    if isinstance(optimize, bool) or optimize is None:
        # The search for the optimal order takes long for many operands.
        optimize = "optimal" if count <= 5 else "greedy"
    if isinstance(optimize, str):
        optimize = (optimize, 2**62)  # whatever memory the operands take: in pairs, always
    stands = [np.broadcast_to(np.float64(0), shape) for shape in shapes]
    wanted = list(optimize) if optimize[0] == "einsum_path" else optimize
    try:
        path = np.einsum_path(f"{','.join(written)}->{output}", *stands, optimize=wanted)[0]
    except (KeyError, TypeError, ValueError) as error:
        raise TraceError(f"{user_line()}: np.einsum with optimize={optimize!r}: {error}") from None
    return [tuple(sorted(step)) for step in path[1:]]


def _summed(array: Array, labels: str, needed: str) -> Operand:
    """Sum over the axes that nothing needs any more."""
    gone = tuple(i for i, label in enumerate(labels) if label not in needed)
    if not gone:
        return array, labels
    total = np.sum(array, axis=gone)
    if total.dtype != array.dtype:
        total = total.astype(array.dtype)  # np.sum widens small integers, np.einsum does not
    return total, "".join(label for label in labels if label in needed)


def _pair(one: Operand, other: Operand, output: str, rest: str) -> Operand:
    """Multiply two operands, and sum over what neither the output nor the rest needs."""
    needed = output + rest
    a, left = _summed(*one, needed + other[1])
    b, right = _summed(*other, needed + left)
    kept = [label for label in dict.fromkeys(left + right) if label in needed]
    if set(kept) == set(output) and not rest:
        made = output
    else:
        shared = [label for label in kept if label in left and label in right]
        made = "".join(shared + [label for label in kept if label not in shared])
    return apply("einsum", a, b, subscripts=f"{left},{right}->{made}"), made


def product(a: Array, b: Array, left: Sequence[Any], right: Sequence[Any], out: Any) -> Array:
    """Sum the products of two arrays whose axes are labelled by numbers from 0 to 51."""
    if max((*left, *right), default=0) >= len(LETTERS):
        raise ShapeError(f"{user_line()}: a product of more than {len(LETTERS)} axes")
    text = ["".join(LETTERS[i] for i in labels) for labels in (left, right, out)]
    return apply("einsum", a, b, subscripts=f"{text[0]},{text[1]}->{text[2]}")


@face(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Trace ``np.tensordot``."""
    a, b = array_of(a), array_of(b)
    if not isinstance(axes, Sequence | np.ndarray):
        count = int(axes)
        if count < 0 or count > min(a.ndim, b.ndim):
            raise ShapeError(
                f"{user_line()}: tensordot of shapes {a.shape} and {b.shape} over {count} axes"
            )
        left, right = tuple(range(a.ndim - count, a.ndim)), tuple(range(count))
    else:
        left, right = (tuple(np.atleast_1d(each).tolist()) for each in axes)
    left = tuple(one_axis(i, a.ndim) for i in left)
    right = tuple(one_axis(i, b.ndim) for i in right)
    if (
        len(set(left)) < len(left)
        or len(set(right)) < len(right)
        or [a.shape[i] for i in left] != [b.shape[i] for i in right]
    ):
        raise ShapeError(
            f"{user_line()}: tensordot of shapes {a.shape} and {b.shape} over axes {axes}: "
            f"the lengths differ, or an axis stands there twice"
        )
    mine = list(range(a.ndim))
    other = [a.ndim + i for i in range(b.ndim)]
    for i, j in zip(left, right, strict=True):
        other[j] = i
    kept = [i for i in mine if i not in left] + [i for i in other if i >= a.ndim]
    return product(a, b, mine, other, kept)


@face(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """Trace ``np.inner``."""
    a, b = array_of(a), array_of(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim == b.ndim == 1:
        return a @ b
    return tensordot(a, b, ((a.ndim - 1,), (b.ndim - 1,)))


@face(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """Trace ``np.outer``."""
    only("np.outer", out=out)
    a, b = array_of(a), array_of(b)
    return product(
        a if a.ndim == 1 else np.reshape(a, (a.size,)),
        b if b.ndim == 1 else np.reshape(b, (b.size,)),
        (0,),
        (1,),
        (0, 1),
    )


@face(np.linalg.outer)
def outer_of_vectors(x1: Any, x2: Any, /) -> Any:
    """Trace ``np.linalg.outer``."""
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ShapeError(
            f"{user_line()}: np.linalg.outer of shapes {np.shape(x1)} and {np.shape(x2)} takes two "
            f"vectors"
        )
    return outer(x1, x2)


@face(np.kron)
def kron(a: Any, b: Any) -> Any:
    """Trace ``np.kron``: all products, and the axes joined two by two."""
    a, b = array_of(a), array_of(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    count = max(a.ndim, b.ndim)
    one = (1,) * (count - a.ndim) + a.shape
    other = (1,) * (count - b.ndim) + b.shape
    # An axis of length 1 that was put in front needs no label of its own.
    mine = [2 * i for i in range(count - a.ndim, count)]
    theirs = [2 * i + 1 for i in range(count - b.ndim, count)]
    every = product(a, b, mine, theirs, sorted(mine + theirs))
    if a.ndim == b.ndim == 0:
        return every
    return np.reshape(every, tuple(m * n for m, n in zip(one, other, strict=True)))
