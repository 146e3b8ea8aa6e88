"""What a program can say of its own network: where no gradient passes, and what to forget."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..pytree import flatten_tree, map_tree
from ..rules import TABLE
from .traced import Traced


def stop_gradient(x: Any) -> Any:
    """Return ``x`` as a value through which no message passes: no edge leaves it.

    ``x`` is an array, a number or a pytree of them.
    """

    def stop(leaf: Any) -> Any:
        return (
            leaf.record(TABLE["stop_gradient"], (leaf,), {}) if isinstance(leaf, Traced) else leaf
        )

    return map_tree(stop, x)


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``f`` with its inner values forgotten after the forward sweep.

    When the wave comes back to it they are computed again, from its inputs: memory is paid with
    work, and the ledger counts the values in ``recomputed``. What ``f`` returns is kept, and so is
    what nodes outside use. A checkpoint inside another is part of that one.

    It lowers the peak of :func:`grad` and :func:`vjp`, which keep neither the values nor the S of
    nodes that have sent. :func:`backward` keeps S at every node, which takes as much as the values
    do. In the gradient network the inner values are inputs of messages, so they are kept there.

    Args:
        f: a function of pytrees of arrays, with any keyword arguments.

    Returns:
        A function with the arguments and the value of ``f``.

    Example:
        ``for layer in layers: x = bw.checkpoint(block)(layer, x)``

    """

    @wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        traced = [x for x in flatten_tree((args, kwargs))[0] if isinstance(x, Traced)]
        if not traced:
            return f(*args, **kwargs)
        tape = max((x.tape for x in traced), key=lambda tape: tape.serial)
        first = len(tape.nodes)
        result = f(*args, **kwargs)
        tape.group(first, flatten_tree(result)[0])
        return result

    return checkpointed
