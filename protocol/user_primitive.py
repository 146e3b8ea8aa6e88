"""A user's own primitive: a function and its message, under the name by which it is imported.

What the article asks of a node is all that is asked here: how u depends on its inputs, and how
S·∂u/∂z is computed. The shape and the work that a trace needs are found by running the function
on nodes without values, where that can be done.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial, update_wrapper
from pathlib import Path
from typing import Any

from .arrays import Array
from .errors import ArgumentError, BackwaveError, ShapeError, UnknownPrimitiveError
from .graph import Graph
from .rules.primitive import TABLE, Abstract, MessageRule, Primitive, Recorded

SEPARATOR = ":"
"""``module:name`` is the name of a user's primitive; the table's own have none."""


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
        self.name = name
        self._messages: list[MessageRule | None] = []
        self._forward = forward
        self._shape = partial(_given_shape, shape) if shape else self._inferred_shape
        self._flops = flops or self._inferred_flops
        self._found: dict[Any, tuple[Abstract, int]] = {}
        self._enter()

    def _enter(self) -> None:
        # A module that is imported again (in a notebook, say) replaces what it defined.
        TABLE[self.name] = Primitive(
            self.name, self._forward, tuple(self._messages), self._shape, self._flops
        )

    def message(self, *rules: MessageRule | None) -> Any:
        """Give the messages, one for each input in order; None where an input has no gradient.

        Each is ``rule(S, u, *z, **attributes)`` and gives S·∂u/∂z_k. As a decorator it gives the
        next one: the first use is for the first input.
        """
        self._messages.extend(rules)
        self._enter()
        return rules[0] if len(rules) == 1 else None

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """Compute it; a traced input records it as one node."""
        if not self._messages:
            raise ArgumentError(
                f"{self.name} has no message: give S·∂u/∂z for each input with "
                f"@{self.__name__}.message"
            )
        for value in inputs:
            if isinstance(value, Recorded):
                return value.record(TABLE[self.name], inputs, attributes)
        return self._forward(*inputs, **attributes)

    def __repr__(self) -> str:
        """Name it."""
        return f"<primitive {self.name}>"

    def _infer(self, z: Sequence[Abstract], attributes: dict[str, Any]) -> tuple[Abstract, int]:
        key = (*z, *sorted(attributes.items()))
        if key not in self._found:
            self._found[key] = _inferred(self._forward, self.name, z, attributes)
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
    where = f"{forward.__module__}{SEPARATOR}{forward.__qualname__}"
    if name is not None and SEPARATOR not in name:
        name = f"{forward.__module__}{SEPARATOR}{name}"
    return UserPrimitive(forward, name or where, shape, flops)


def _given_shape(shape: Callable[..., Any], *z: Abstract, **attributes: Any) -> Abstract:
    found = shape(*z, **attributes)
    return Abstract(tuple(found.shape), found.dtype)


def _inferred(
    forward: Callable[..., Array], name: str, z: Sequence[Abstract], attributes: dict[str, Any]
) -> tuple[Abstract, int]:
    """Trace a function without arrays: its shape, and the operations that it takes."""
    from .trace import Shape, record

    try:
        # A Python number among the inputs decides no dtype: it stands for itself.
        shapes = [value.weak(1) if value.weak else Shape(*value[:2]) for value in z]
        graph = record(partial(forward, **attributes), tuple(shapes)).graph
        node = graph.nodes[graph.output]
    except ShapeError:
        raise
    except (BackwaveError, TypeError, AttributeError, ValueError) as error:
        raise ShapeError(
            f"the shape of {name} is not known without arrays, since it cannot be traced "
            f"({error}); give it: @bw.primitive(shape=lambda z: bw.Shape(z.shape, z.dtype))"
        ) from None
    return node.abstract, sum(graph.work(u).flops for u in range(len(graph.nodes)))


Source = tuple[str, str]
"""A module, and the folder from which it is imported (empty if Python finds it by itself)."""


def sources(graph: Graph) -> tuple[Source, ...]:
    """Return the modules that define the users' primitives of a graph.

    Raises:
        UnknownPrimitiveError: one is defined in ``__main__``, which workers cannot import.

    """
    found: dict[str, str] = {}
    for node in graph.nodes:
        module, separator, rest = node.primitive.partition(SEPARATOR)
        if not separator or module in found:
            continue
        if module == "__main__" or "<locals>" in rest:
            raise UnknownPrimitiveError(
                f"{node.line}: workers import {node.primitive} by its name, and it is defined "
                f"{'in the program that runs' if module == '__main__' else 'inside a function'}; "
                f"put it at the top of a module of its own, and import that"
            )
        found[module] = _folder(module)
    return tuple(found.items())


def _folder(module: str) -> str:
    file = getattr(sys.modules.get(module), "__file__", None)
    if not file:
        return ""
    folder = Path(file).resolve().parent
    if Path(file).name == "__init__.py":
        folder = folder.parent
    for _ in range(module.count(".")):
        folder = folder.parent
    return str(folder)


def import_sources(modules: Iterable[Source]) -> None:
    """Import the modules that a plan's driver names, so that their primitives are in the table.

    Raises:
        UnknownPrimitiveError: one cannot be imported here.

    """
    for module, folder in modules:
        if module in sys.modules:
            continue
        if folder and folder not in sys.path:
            sys.path.append(folder)
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UnknownPrimitiveError(
                f"a worker could not import {module}, which defines a primitive of this network: "
                f"{error}; install it there, or put its folder on PYTHONPATH"
            ) from None
