"""Checking derivatives against finite differences, along random directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
import optree

from ..arrays import Array, is_float
from ..errors import ArgumentError, GradientError
from ..pytree import flatten_tree
from .gradient import vjp
from .higher import jvp

STEP = 2e-4
"""How far the arguments move, along a direction whose entries are of order 1."""

_Arrays = tuple[Array, ...]
_Function = Callable[..., _Arrays]


def check_grads(
    f: Callable[..., Any],
    order: int = 2,
    modes: str | Sequence[str] = ("forward", "reverse"),
    tolerance: float = 1e-6,
    seed: int = 0,
) -> Callable[..., None]:
    """Return a function of the arguments of ``f`` that checks its derivatives there.

    Args:
        f: a function in plain NumPy; its value is an array, a number, or a pytree of them.
        order: 1 checks the derivative, 2 also the derivative of that, and so on.
        modes: ``"forward"`` (bw.jvp), ``"reverse"`` (bw.vjp) or both; higher orders mix them.
        tolerance: how far, relative to its size, a slope may be from its finite difference.
        seed: of the random directions; the error names it.

    The arguments are taken in double precision. Finite differences see a few times 1e-4 to both
    sides: stay that far from kinks.

    Raises:
        GradientError: a slope is not what finite differences give; says which, where.

    Example:
        ``bw.check_grads(f, order=2)(x)``, or ``bw.check_grads(f)(x, order=2)``

    """
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    if not modes:
        raise ArgumentError("modes is empty, so there is nothing to check")
    for mode in modes:
        if mode not in ("forward", "reverse"):
            raise ArgumentError(f"there is no mode {mode!r}; choose 'forward' or 'reverse'")
    orders = order

    @wraps(f)
    def check(*args: Any, order: int = orders) -> None:
        if type(order) is not int or order < 1:
            raise ArgumentError(f"order={order!r:.40}: give a whole number from 1 up")
        flat, x = _flattened(f, args)
        random = np.random.default_rng(seed)
        name = getattr(f, "__name__", "the function")
        _check(flat, x, order, modes, tolerance, random, [name], seed)

    return check


def _flattened(f: Callable[..., Any], args: tuple[Any, ...]) -> tuple[_Function, _Arrays]:
    """Return ``f`` as a function of its floating-point arrays, in double, and those arrays."""
    leaves, structure = flatten_tree(args)
    arrays = [np.asarray(leaf) for leaf in leaves]
    varying = [k for k, array in enumerate(arrays) if is_float(array.dtype)]
    if not varying:
        raise ArgumentError("there is no floating-point argument to differentiate")

    def flat(*x: Array) -> _Arrays:
        given = list(leaves)
        for k, value in zip(varying, x, strict=True):
            given[k] = value
        result = f(*optree.tree_unflatten(structure, given))
        found = tuple(leaf for leaf in flatten_tree(result)[0] if is_float(_dtype(leaf)))
        if not found:
            raise ArgumentError(
                f"{getattr(f, '__name__', 'the function')} returned "
                f"{type(result).__name__} without a floating-point array or number"
            )
        return found

    double = {"f": np.float64, "c": np.complex128}
    return flat, tuple(arrays[p].astype(double[arrays[p].dtype.kind])[()] for p in varying)


def _dtype(value: Any) -> Any:
    return value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype


def _check(
    f: _Function,
    x: _Arrays,
    order: int,
    modes: Sequence[str],
    tolerance: float,
    random: np.random.Generator,
    path: list[str],
    seed: int,
) -> None:
    v = tuple(_like(each, random) for each in x)
    value = f(*x)
    S = tuple(_like(np.asarray(each), random) for each in value)
    numeric = _slopes(f, x, v)
    theirs = _pairing(S, numeric)
    scale = 1.0 + sum(float(np.sum(np.abs(s) * np.abs(d))) for s, d in zip(S, numeric, strict=True))

    def compare(ours: float, mode: str) -> None:
        if not abs(ours - theirs) <= tolerance * scale:
            raise GradientError(
                f"{' of '.join(reversed(path))}, {mode}: along a random direction (seed {seed}) "
                f"the slope is {ours:.12g}, and by finite differences {theirs:.12g}"
            )

    def slope(*x: Array) -> _Arrays:
        found: _Arrays = jvp(f, x, v)[1]
        return found

    def pulled(*x: Array) -> _Arrays:
        found: _Arrays = vjp(f, *x)[1](S)
        return found

    for mode, derivative in (("forward", slope), ("reverse", pulled)):
        if mode not in modes:
            continue
        found = derivative(*x)
        compare(_pairing(S, found) if mode == "forward" else _pairing(found, v), mode)
        if order > 1:
            further = [*path, f"the {mode} derivative"]
            _check(derivative, x, order - 1, modes, tolerance, random, further, seed)


def _like(value: Array, random: np.random.Generator) -> Array:
    noise = random.normal(size=np.shape(value))
    if np.iscomplexobj(value):
        noise = noise + 1j * random.normal(size=np.shape(value))
    return np.asarray(noise)[()]


def _slopes(f: _Function, x: _Arrays, v: _Arrays) -> _Arrays:
    """Return the derivative of each output along v, by central differences of order 6."""

    def at(t: int) -> _Arrays:
        return f(*(z + t * STEP * d for z, d in zip(x, v, strict=True)))

    near, middle, far = ((at(t), at(-t)) for t in (1, 2, 3))
    return tuple(
        (45.0 * (a - b) - 9.0 * (c - d) + (e - g)) / (60.0 * STEP)
        for a, b, c, d, e, g in zip(*near, *middle, *far, strict=True)
    )


def _pairing(left: Sequence[Array], right: Sequence[Array]) -> float:
    """Return Re Σ left·right: S is ∂f/∂x - i·∂f/∂y, so that no conjugate is needed."""
    return float(sum(np.real(np.sum(a * b)) for a, b in zip(left, right, strict=True)))
