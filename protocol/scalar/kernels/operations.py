"""What a scalar node does with its inputs: an activation of a weighted sum, or a primitive.

Both come from the table of rules; a handful of activations that are no NumPy function stand here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import special

from ...errors import UnknownPrimitiveError
from ...rules import TABLE

Rule = Callable[..., Any]

IDENTITY = "identity"
MOST_INPUTS = 3
"""How many inputs a primitive of a scalar node may have; a sum has any number."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """(a) How u depends on its inputs, and (b) S·∂u/∂z for each; None where there is none."""

    name: str
    inputs: int
    value: Rule
    messages: tuple[Rule | None, ...]


def _softplus(z: Any) -> Any:
    return np.logaddexp(z, 0.0)


ACTIVATIONS = {
    operation.name: operation
    for operation in (
        Operation(IDENTITY, 1, lambda z: z, (lambda S, u, z: S,)),
        # Flat at 0, as in the other frameworks.
        Operation("relu", 1, lambda z: np.maximum(z, 0.0), (lambda S, u, z: S * (z > 0.0),)),
        Operation("softplus", 1, _softplus, (lambda S, u, z: S * special.expit(z),)),
    )
}
_ALIASES = {"sigmoid": "expit", "linear": IDENTITY}


@cache
def operation(name: str) -> Operation:
    """Return the operation of this name: an activation, or an elementwise primitive.

    Raises:
        UnknownPrimitiveError: there is none, or it has attributes or too many inputs.

    """
    name = _ALIASES.get(name, name)
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    primitive = TABLE.get(name)
    if primitive is None or primitive.takes != {} or primitive.variadic or ":" in name:
        raise UnknownPrimitiveError(
            f"there is no scalar operation {name!r}; choose {', '.join(ACTIVATIONS)}, sigmoid, "
            f"or an elementwise function that `backwave functions` lists (tanh, sin, exp, ...)"
        )
    forward = primitive.forward
    inputs = forward.nin if isinstance(forward, np.ufunc) else max(len(primitive.messages), 1)
    if inputs > MOST_INPUTS:
        raise UnknownPrimitiveError(f"{name} takes {inputs} inputs, more than {MOST_INPUTS}")
    messages = tuple(primitive.message(position) for position in range(inputs))
    return Operation(name, inputs, forward, messages)


def activation(name: str) -> Operation:
    """Return the activation of this name: an operation of one input, with a derivative.

    Raises:
        UnknownPrimitiveError: there is none, or it takes several inputs, or is flat everywhere.

    """
    found = operation(str(name))
    if found.inputs != 1 or found.messages[0] is None:
        raise UnknownPrimitiveError(
            f"{name} is no activation: it takes {found.inputs} inputs"
            if found.inputs != 1
            else f"{name} is no activation: its derivative is 0 wherever it has one"
        )
    if not _is_real_by_entry(found):
        raise UnknownPrimitiveError(f"{name} is no activation: it takes more than one real number")
    return found


def _is_real_by_entry(of: Operation) -> bool:
    """Whether an operation of one input takes an array entry by entry to real numbers."""
    z, rule = np.array([0.3, 0.4]), of.messages[0]
    assert rule is not None
    try:
        u = of.value(z)
        found = [u, rule(np.ones(2), u, z)]
    except Exception:  # a rule for matrices fails in its own way
        return False
    return all(np.shape(each) == (2,) and each.dtype == np.float64 for each in found)
