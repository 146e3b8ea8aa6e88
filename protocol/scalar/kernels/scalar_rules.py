"""The rules of the table, compiled for single numbers by Numba.

A rule is written with ``np`` functions on its arguments, and so serves compiled scalars as it
serves arrays, device arrays and traced nodes. A few ask what kind of array they were given, or
call SciPy; what they are for one float64 stands here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from types import FunctionType

import numpy as np
from numba import njit
from numba.core.errors import NumbaError

from .operations import Rule, operation

Compiled = Callable[..., float]

compiled = njit(error_model="numpy")
"""A quotient by 0 is infinite, as NumPy has it, and no error."""


def _expit(z: float) -> float:
    return 1.0 / (1.0 + math.exp(-z))


def _power(a: float, b: float) -> float:
    return a * a if b == 2.0 else a**b


def _power_to_base(S: float, u: float, a: float, b: float) -> float:
    if b == 0.0:
        return S * 0.0
    return S * (2.0 * a) if b == 2.0 else S * (b * a ** (b - 1.0))


def _power_to_exponent(S: float, u: float, a: float, b: float) -> float:
    return S * (u * math.log(1.0 if a == 0.0 else a))


_FORWARD: dict[str, Rule] = {
    "expit": _expit,
    "erf": math.erf,
    "erfc": math.erfc,
    "power": _power,
    "where": lambda c, a, b: a if c != 0.0 else b,
}
_MESSAGE: dict[tuple[str, int], Rule] = {
    ("expit", 0): lambda S, u, z: S * (u * (1.0 / (1.0 + math.exp(z)))),
    ("softplus", 0): lambda S, u, z: S * (1.0 / (1.0 + math.exp(-z))),
    ("absolute", 0): lambda S, u, z: S * np.sign(z),
    ("power", 0): _power_to_base,
    ("power", 1): _power_to_exponent,
    ("where", 1): lambda S, u, c, a, b: S if c != 0.0 else 0.0,
    ("where", 2): lambda S, u, c, a, b: 0.0 if c != 0.0 else S,
}

_OTHERWISE = ("remainder", "floor_divide", "spacing", "float_power")
"""Numba rounds the first three otherwise than NumPy, and cannot take the last."""

_SAMPLES = (0.3, 0.4, 0.6)


def _compiled(rule: Rule) -> Rule:
    """Compile a rule, and the rules' own helpers that it calls."""
    if not isinstance(rule, FunctionType):
        return rule  # a ufunc or an operator, which Numba knows
    names = dict(rule.__globals__)
    for name in rule.__code__.co_names:
        if isinstance(names.get(name), FunctionType):
            names[name] = _compiled(names[name])
    copy = FunctionType(rule.__code__, names, rule.__name__, rule.__defaults__, rule.__closure__)
    return compiled(copy)


def _value_of(rule: Rule, inputs: int) -> Compiled:
    """Give every value rule three arguments. A truth value becomes 1.0 or 0.0."""
    if inputs == 1:
        return compiled(lambda a, b, c: 1.0 * rule(a))
    if inputs == 2:
        return compiled(lambda a, b, c: 1.0 * rule(a, b))
    return compiled(lambda a, b, c: 1.0 * rule(a, b, c))


def _message_of(rule: Rule, inputs: int) -> Compiled:
    if inputs == 1:
        return compiled(lambda S, u, a, b, c: 1.0 * rule(S, u, a))
    if inputs == 2:
        return compiled(lambda S, u, a, b, c: 1.0 * rule(S, u, a, b))
    return compiled(lambda S, u, a, b, c: 1.0 * rule(S, u, a, b, c))


@compiled
def _no_message(S: float, u: float, a: float, b: float, c: float) -> float:
    return 0.0  # never asked for: there is no edge


@cache
def _rules(name: str) -> tuple[Compiled, tuple[Compiled, ...]] | None:
    """Return the compiled value rule and message rules of an operation; None if there are none."""
    of = operation(name)
    if of.name in _OTHERWISE:
        return None
    value = _value_of(_compiled(_FORWARD.get(of.name, of.value)), of.inputs)
    messages = []
    for position in range(3):
        rule = of.messages[position] if position < len(of.messages) else None
        if rule is not None:
            made = _compiled(_MESSAGE.get((of.name, position), rule))
            messages.append(_message_of(made, of.inputs))
        else:
            messages.append(_no_message)
    try:
        u = value(*_SAMPLES)
        known = [isinstance(u, float)]
        known += [isinstance(message(1.0, u, *_SAMPLES), float) for message in messages]
    except (NumbaError, NotImplementedError):
        return None
    return (value, tuple(messages)) if all(known) else None


def compiles(name: str) -> bool:
    """Whether the rules of this operation can be compiled."""
    return _rules(name) is not None


def value_of(names: Sequence[str]) -> Compiled:
    """Return ``value(number, a, b, c)``: what operation ``names[number]`` makes of its inputs."""

    def fork(middle: int, lower: Compiled, upper: Compiled) -> Compiled:
        return compiled(
            lambda op, a, b, c: lower(op, a, b, c) if op < middle else upper(op, a, b, c)
        )

    def leaf(rule: Compiled) -> Compiled:
        return compiled(lambda op, a, b, c: rule(a, b, c))

    return _tree([leaf(_known(name)[0]) for name in names], fork)


def message_of(names: Sequence[str], position: int) -> Compiled:
    """Return ``message(number, S, u, a, b, c)``: S·∂u/∂z for the input at ``position``."""

    def fork(middle: int, lower: Compiled, upper: Compiled) -> Compiled:
        return compiled(
            lambda op, S, u, a, b, c: (
                lower(op, S, u, a, b, c) if op < middle else upper(op, S, u, a, b, c)
            )
        )

    def leaf(rule: Compiled) -> Compiled:
        return compiled(lambda op, S, u, a, b, c: rule(S, u, a, b, c))

    return _tree([leaf(_known(name)[1][position]) for name in names], fork)


def _tree(rules: Sequence[Compiled], fork: Callable[..., Compiled], first: int = 0) -> Compiled:
    """Find a rule by its number in a tree: Numba would go too deep down a chain of forty."""
    if len(rules) == 1:
        return rules[0]
    half = len(rules) // 2
    return fork(
        first + half, _tree(rules[:half], fork, first), _tree(rules[half:], fork, first + half)
    )


def _known(name: str) -> tuple[Compiled, tuple[Compiled, ...]]:
    rules = _rules(name)
    assert rules is not None, name  # asked of compiles() first
    return rules
