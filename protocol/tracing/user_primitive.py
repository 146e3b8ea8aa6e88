"""A user's own primitive: a function and its message, under the name by which it is imported.

What the article asks of a node is all that is asked here: how u depends on its inputs, and how
S·∂u/∂z is computed. The shape and the work that a trace needs are found by running the function
on nodes without values, where that can be done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ArgumentError, BackwaveError, ShapeError
from ..graph.signature import Shape
from ..rules.primitive import SEPARATOR, TABLE, Abstract, MessageRule, Primitive, Recorded
from .trace import record


class UserPrimitive:
    """A function that traces as one node. Made by :func:`primitive`."""

    __name__: str

    def __init__(
        self,
        forward: Callable[..., Array],
        name: str,
        shape: Callable[..., Any] | None,
        flops: Callable[..., int] | None,
    ) -> None:
        update_wrapper(self, forward)
        self.__name__ = name.rpartition(SEPARATOR)[2]
        self.name = name
        self._messages: list[MessageRule | None] = []
        self._function = forward
        self._shape = partial(_given_shape, name, shape) if shape else self._inferred_shape
        self._flops = flops or self._inferred_flops
        self._found: dict[Any, tuple[Abstract, int]] = {}
        self._primitive = self._enter()

    def _enter(self) -> Primitive:
        # A module that is imported again (in a notebook, say) replaces what it defined.
        TABLE[self.name] = Primitive(
            self.name, self._forward, tuple(self._messages), self._shape, self._flops
        )
        return TABLE[self.name]

    def _forward(self, *z: Array, **attributes: Any) -> Array:
        for value in z:
            if isinstance(value, Recorded):  # a trace outside this one: there too it is one node
                return value.record(self._primitive, z, attributes)
        return self._computed(*z, **attributes)

    def _computed(self, *z: Array, **attributes: Any) -> Array:
        u = self._function(*z, **attributes)
        if not isinstance(u, _VALUES) and not (hasattr(u, "dtype") and hasattr(u, "shape")):
            raise ArgumentError(
                f"{self.name} returned {type(u).__name__}, and the value of a node is one array "
                f"or number"
            )
        return u

    def message(self, *rules: MessageRule | None) -> Any:
        """Give the messages, one for each input in order; None where an input has no gradient.

        Each is ``rule(S, u, *z, **attributes)`` and gives S·∂u/∂z_k. As a decorator it gives the
        next one: the first use is for the first input.
        """
        for rule in rules:
            if rule is not None and not callable(rule):
                raise ArgumentError(f"a message is a function or None, not {rule!r:.40}")
            position = len(self._messages)
            self._messages.append(rule and partial(_sent, self.name, position, rule))
        self._primitive = self._enter()
        return rules[0] if len(rules) == 1 else None

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """Compute it; a traced input records it as one node."""
        if len(self._messages) < max(len(inputs), 1):
            raise ArgumentError(
                f"{self.name} has {len(inputs)} inputs and {len(self._messages) or 'no'} messages: "
                f"give S·∂u/∂z for each with @{self.__name__}.message, None where there is no "
                f"gradient"
            )
        if TABLE.get(self.name) is not self._primitive:
            raise ArgumentError(
                f"another primitive has been defined as {self.name} since; use that one, or give "
                f"each its own name with bw.primitive(name=...)"
            )
        plain = {key: self._plain(key, given) for key, given in attributes.items()}
        return self._forward(*inputs, **plain)

    def _plain(self, key: str, value: Any) -> Any:
        """Return an attribute as graph files have it: plain data, lists as tuples."""
        if isinstance(value, list | tuple):
            return tuple([self._plain(key, each) for each in value])
        if isinstance(value, np.bool_ | np.integer | np.floating):
            return value.item()
        if value is None or type(value) in (bool, int, float, str):
            return value
        raise ArgumentError(
            f"{self.name}: {key}= is {type(value).__name__}, and an attribute is plain data "
            f"(numbers, text and tuples of them); give arrays by position, as inputs"
        )

    def __repr__(self) -> str:
        """Name it."""
        return f"<primitive {self.name}>"

    def _infer(self, z: tuple[Abstract, ...], attributes: dict[str, Any]) -> tuple[Abstract, int]:
        key = z, repr(sorted(attributes.items()))  # 1, 1.0 and True are not one
        if key not in self._found:
            self._found[key] = _inferred(self._computed, self.name, z, attributes)
        return self._found[key]

    def _inferred_shape(self, *z: Abstract, **attributes: Any) -> Abstract:
        return self._infer(z, attributes)[0]

    def _inferred_flops(self, u: Abstract, *z: Abstract, **attributes: Any) -> int:
        try:
            return self._infer(z, attributes)[1]
        except ShapeError:
            return u.size  # it can run, but not be traced: one operation an entry


def primitive(
    forward: Callable[..., Array] | None = None,
    *,
    name: str | None = None,
    shape: Callable[..., Any] | None = None,
    flops: Callable[..., int] | None = None,
) -> Any:
    """Make a function one node of the network, with a message of your own.

    Args:
        forward: how u depends on its inputs: positional arrays; keyword arguments are attributes
            of the node, plain data.
        name: what stands in graphs, ``module:name``, where workers import it from; the place
            where the function is defined if not given.
        shape: maps the inputs (each has ``shape`` and ``dtype``) to the output's
            ``bw.Shape(shape, dtype)``, for traces without arrays. If not given, ``forward`` is
            traced once without arrays.
        flops: maps the output and the inputs to a count of operations; found likewise.

    Returns:
        The function as a primitive; its ``message(*rules)`` takes S·∂u/∂z, one for each input.

    Raises:
        ArgumentError: it is no function, or has no name that graphs could use.

    Example::

        @bw.primitive
        def softplus(z):
            return np.logaddexp(0.0, z)

        @softplus.message
        def _(S, u, z):
            return S / (1.0 + np.exp(-z))

    """
    if forward is None:
        return partial(primitive, name=name, shape=shape, flops=flops)
    if not callable(forward):
        raise ArgumentError(f"bw.primitive takes a function, not {forward!r:.40}")
    return UserPrimitive(forward, _name(forward, name), shape, flops)


def _name(forward: Callable[..., Any], name: str | None) -> str:
    module = getattr(forward, "__module__", None)
    if name is None:
        name = getattr(forward, "__qualname__", None)
        if name is None or module is None or name.endswith("<lambda>"):
            raise ArgumentError(
                f"{forward!r:.60} has no name that graphs could use; give it one, "
                f"bw.primitive(name='module:name')"
            )
    if SEPARATOR in name:
        return name
    if module is None:
        raise ArgumentError(f"name={name!r}: say in which module it is, name='module:{name}'")
    return f"{module}{SEPARATOR}{name}"


_VALUES = bool | int | float | complex


def _sent(
    name: str, position: int, rule: MessageRule, S: Array, u: Array, *z: Array, **attributes: Any
) -> Array:
    """Compute a message, and hold it to the shape of u or of z."""
    message = rule(S, u, *z, **attributes)
    if isinstance(message, _VALUES):
        message = np.asarray(message)[()]
    shape = getattr(message, "shape", None)
    if shape is None:
        raise ArgumentError(
            f"the message of {name} to input {position} is {type(message).__name__}, and no array"
        )
    if shape not in (np.shape(u), np.shape(z[position])) and not _spreads(shape, u, z[position]):
        raise ShapeError(
            f"the message of {name} to input {position} has shape {shape}; it can have that of u, "
            f"{np.shape(u)}, or that of the input, {np.shape(z[position])}"
        )
    return message


def _spreads(shape: tuple[int, ...], *values: Array) -> bool:
    return any(
        len(shape) <= len(np.shape(value))
        and all(n in (1, m) for n, m in zip(shape[::-1], np.shape(value)[::-1], strict=False))
        for value in values
    )


def _given_shape(name: str, shape: Callable[..., Any], *z: Abstract, **attributes: Any) -> Abstract:
    found = shape(*z, **attributes)
    if not hasattr(found, "shape") or not hasattr(found, "dtype"):
        raise ArgumentError(
            f"the shape= of {name} gave {type(found).__name__}; it gives bw.Shape(shape, dtype)"
        )
    return Abstract(tuple(found.shape), np.dtype(found.dtype))


def _inferred(
    forward: Callable[..., Array], name: str, z: Sequence[Abstract], attributes: dict[str, Any]
) -> tuple[Abstract, int]:
    """Trace a function without arrays: its shape, and the operations that it takes."""

    def of_arrays(*arrays: Any) -> Array:
        # A Python number among the inputs decides no dtype: it stands for itself.
        each = iter(arrays)
        return forward(*[value.weak(1) if value.weak else next(each) for value in z], **attributes)

    try:
        shapes = tuple([Shape(*value[:2]) for value in z if not value.weak])
        graph = record(of_arrays, shapes).graph
        node = graph.nodes[graph.output]
    except ShapeError:
        raise
    except (BackwaveError, TypeError, AttributeError, ValueError) as error:
        raise ShapeError(
            f"the shape of {name} is not known without arrays, since it cannot be traced "
            f"({error}); give it: @bw.primitive(shape=lambda z: bw.Shape(z.shape, z.dtype))"
        ) from None
    return node.abstract, sum(graph.work(u).flops for u in range(len(graph.nodes)))
