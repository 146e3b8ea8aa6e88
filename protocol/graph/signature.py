"""What a function takes and gives: between arguments and leaves, gradients and structure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
import optree

from ..arrays import DTYPES, Array, settle
from ..errors import ArgumentError
from ..parts import Leaf, Node
from ..pytree import Flat, flatten, flatten_tree, pattern
from ..rules.primitive import Recorded

Argnums = int | tuple[int, ...] | None


@dataclass(frozen=True, init=False)
class Shape:
    """A shape and a dtype instead of an array, for a trace that allocates nothing.

    Attributes:
        shape: the length of each axis.
        dtype: of the entries.

    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __init__(self, shape: int | tuple[int, ...], dtype: Any = np.float64) -> None:
        try:
            each = shape if isinstance(shape, tuple | list) else (shape,)
            lengths = tuple(index(length) for length in each)
            known = np.dtype(dtype)
        except TypeError as error:
            raise ArgumentError(f"bw.Shape({shape!r:.40}, {dtype!r:.40}): {error}") from None
        if any(length < 0 for length in lengths):
            raise ArgumentError(f"Shape{lengths}: a length cannot be negative")
        object.__setattr__(self, "shape", lengths)
        object.__setattr__(self, "dtype", known)
        require_dtype(known, "a Shape")


def require_dtype(dtype: Any, what: str, line: str = "") -> None:
    """Raise unless values of this dtype can stand on a node."""
    if np.dtype(dtype).str not in DTYPES:
        where = f"{line}: " if line else ""
        raise ArgumentError(
            f"{where}{what} has dtype {dtype}, and a node's value must be a number array of one of "
            f"{', '.join(sorted({d.name for d in DTYPES.values()}))}"
        )


def at_rest(value: Any, path: str) -> Array:
    """Return a leaf's value as nodes hold it, or say why it cannot be one."""
    if type(value) is np.float64 or isinstance(value, Recorded):
        return value
    if isinstance(value, bool | int | float | complex | np.generic | np.ndarray):
        require_dtype(np.asarray(value).dtype, path)
        return settle(value)
    if isinstance(value, Shape):
        raise ArgumentError(f"{path} is a bw.Shape, and an array is needed; bw.trace takes shapes")
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return settle(value)
    raise ArgumentError(
        f"{path} is {type(value).__name__}, not an array or a number; "
        f"close over it, or bind it with functools.partial"
    )


def like(node: Node, value: Any, what: str, whom: str) -> Array:
    """Return what the caller gives along with the value of a node, in its dtype and at rest.

    Raises:
        ArgumentError: it is no array, or of another shape, or complex where the node is real.

    """
    if not hasattr(value, "dtype") or isinstance(value, Shape):
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise ArgumentError(f"{what} is no array: {error}") from None
    if value.dtype.str not in DTYPES:
        raise ArgumentError(f"{what} is of dtype {value.dtype}, and {whom} {node.dtype}")
    if value.shape != node.shape:
        raise ArgumentError(f"{what} has shape {value.shape}, and {whom} {node.shape}")
    if value.dtype.kind == "c" and node.dtype.kind != "c":
        raise ArgumentError(f"{what} is complex, and {whom} is {node.dtype}")
    return settle(value if value.dtype == node.dtype else value.astype(node.dtype))


def differentiated_arguments(count: int, argnums: Argnums) -> list[int]:
    """Return which of ``count`` arguments are differentiated, in the order of argnums, checked."""
    if argnums is None:
        return list(range(count))
    given = argnums if isinstance(argnums, tuple) else (argnums,)
    for argument in given:
        if type(argument) is not int:
            raise ArgumentError(f"argnums={argnums!r:.40}: give an int, or a tuple of ints")
        if not -count <= argument < count:
            raise ArgumentError(f"argnums={argnums}, but there are only {count} arguments")
    chosen = [argument % count for argument in given]
    if len(set(chosen)) < len(chosen):
        raise ArgumentError(f"argnums={argnums} names an argument twice")
    return chosen


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """What the function of a graph takes and gives.

    Attributes:
        nodes: the nodes of the graph.
        leaves: the arrays among the arguments, in the order of the flattened arguments.
        outputs: the ids of the outputs.
        arguments: how many positional arguments there are.
        argnums: the differentiated argument or arguments, None for all.
        gives: the structure of the value, None where it is not known: a tuple then.

    """

    nodes: Sequence[Node]
    leaves: Sequence[Leaf]
    outputs: tuple[int, ...]
    arguments: int
    argnums: Argnums
    gives: Any

    # Into the network.

    def bind(self, args: tuple[Any, ...]) -> tuple[list[Array], Flat]:
        """Return the value that ``args`` gives each leaf, checked against the trace.

        Raises:
            ArgumentError: the arguments have another structure, shape or dtype than was traced.

        """
        flat = flatten(args)
        if len(args) != self.arguments or len(flat.leaves) != len(self.leaves):
            raise ArgumentError(
                f"the graph was traced with {self.arguments} arguments holding "
                f"{len(self.leaves)} arrays, and was given {len(args)} holding {len(flat.leaves)}"
            )
        values = [
            self.fitting(leaf, value) for leaf, value in zip(self.leaves, flat.leaves, strict=True)
        ]
        if len(self.leaves) > 1 and flat.paths() != [leaf.path for leaf in self.leaves]:
            raise ArgumentError(
                f"the arguments are built otherwise than those that were traced: "
                f"{', '.join(flat.paths())} instead of "
                f"{', '.join(leaf.path for leaf in self.leaves)}"
            )
        return values, flat

    def fitting(self, leaf: Leaf, value: Any) -> Array:
        """Return the value of a leaf at rest, checked against the trace."""
        node = self.nodes[leaf.node]
        settled = at_rest(value, leaf.path)
        if settled.shape != node.shape or settled.dtype != node.dtype:
            raise ArgumentError(
                f"{leaf.path} is {settled.dtype}{list(settled.shape)}, and the graph was "
                f"traced with {node.dtype}{list(node.shape)}; trace it again for other shapes"
            )
        return settled

    def S_at(self, u: int, S: Array) -> Array:
        """Return the S that the caller gives an output, checked and at rest."""
        return like(self.nodes[u], S, "S at the output", "the output")

    def S_like(self, S: Any) -> dict[int, Array]:
        """Return S by output, from a pytree like the function's value.

        Raises:
            ArgumentError: it has another structure, or an S has another shape than its output.

        """
        leaves, structure = flatten_tree(S)
        if len(leaves) != len(self.outputs) or (
            self.gives is not None and structure != self.gives and len(leaves) > 1
        ):
            raise ArgumentError(
                f"S has the structure {pattern(structure)}, and the function's value has "
                f"{pattern(self.gives)}"
            )
        found: dict[int, Array] = {}
        for u, given in zip(self.outputs, leaves, strict=True):
            # The gradient may be the very same array, so it is a copy.
            start = self.S_at(u, given).copy(order="K")
            found[u] = found[u] + start if u in found else start
        return found

    # Out of it.

    def value(self, values: list[Any]) -> Any:
        """Give what belongs to the outputs, one each, the structure of the function's value."""
        if self.gives is not None:
            return optree.tree_unflatten(self.gives, values)
        return values[0] if len(values) == 1 else tuple(values)

    def gradients(self, structure: Any, S: Mapping[int, Array]) -> Any:
        """Return S at the differentiated leaves, in the structure of their arguments.

        ``structure`` is that of all arguments.
        """
        found: list[Any] = []
        owned: set[int] = set()
        for leaf in self.leaves:
            if not leaf.differentiated:
                found.append(None)
            elif leaf.node in S:
                found.append(_own(S[leaf.node], owned))
            else:  # the output does not depend on this leaf
                node = self.nodes[leaf.node]
                found.append(settle(np.zeros(node.shape, node.dtype)))
        return self.structured(structure, found)

    def structured(self, structure: Any, each: list[Any]) -> Any:
        """Give what belongs to the leaves the structure of the differentiated arguments.

        ``structure`` is that of all arguments; ``each`` has one entry a leaf, None where it is not
        differentiated.
        """
        by_argument: list[Any] = []
        start = 0
        for child in structure.children():
            end = start + child.num_leaves
            by_argument.append(optree.tree_unflatten(child, each[start:end]))
            start = end
        if isinstance(self.argnums, int):
            return by_argument[self.argnums]
        if self.argnums is None:
            return tuple(by_argument)
        return tuple(by_argument[argument] for argument in self.argnums)

    # Directions: what a Hessian is multiplied by.

    @property
    def chosen(self) -> list[int]:
        """The differentiated arguments, in the order of argnums."""
        return differentiated_arguments(self.arguments, self.argnums)

    @property
    def takes_a_tuple(self) -> bool:
        """Whether a direction is a tuple with one structure for each differentiated argument."""
        return isinstance(self.argnums, tuple) or len(self.chosen) > 1

    def gradient_leaves(self) -> list[Leaf]:
        """Return the differentiated leaves in the order in which a gradient has them: argnums'."""
        varying = [leaf for leaf in self.leaves if leaf.differentiated]
        if not isinstance(self.argnums, tuple):
            return varying
        order = self.chosen
        return sorted(varying, key=lambda leaf: order.index(leaf.argument))

    def direction(self, structure: Any, leaves: Iterable[Any], *, whole: bool = False) -> Any:
        """Return v as a Hessian takes it, from one array for each differentiated leaf.

        ``structure`` is that of the arguments; the arrays are in the order of
        :meth:`gradient_leaves`. With ``whole`` it is a tuple also where one argument is given.
        """
        each = dict(zip(self.gradient_leaves(), leaves, strict=True))
        return self._directed(structure, [each.get(leaf) for leaf in self.leaves], whole)

    def directions(self, structure: Any, v: Any, *, whole: bool = False) -> list[Array]:
        """Return the arrays of v, one for each differentiated leaf: :meth:`direction` undone.

        Where an array of the arguments does not vary, v has None, or anything.

        Raises:
            ArgumentError: v has another structure, or an array of another shape.

        """
        varying = self.gradient_leaves()
        given, found = flatten_tree(v)
        expected = flatten_tree(self.direction(structure, range(len(varying)), whole=whole))[1]
        if found != expected:
            numbered = self._directed(structure, list(range(len(self.leaves))), whole)
            numbers, full = flatten_tree(numbered)
            if found != full:
                raise ArgumentError(
                    f"v has the structure {pattern(found)}, and what is differentiated has "
                    f"{pattern(expected)}"
                )
            given = [
                each
                for each, number in zip(given, numbers, strict=True)
                if self.leaves[number].differentiated
            ]
        return [
            like(self.nodes[leaf.node], each, f"v for {leaf.path}", leaf.path)
            for leaf, each in zip(varying, given, strict=True)
        ]

    def _directed(self, structure: Any, leaves: list[Any], whole: bool) -> Any:
        tree = self.structured(structure, leaves)
        bare = self.argnums is None and not whole and not self.takes_a_tuple
        return tree[0] if bare else tree


def _own(value: Array, owned: set[int]) -> Array:
    """Copy a gradient that is read-only or shares memory: each may be changed in place."""
    if not isinstance(value, np.ndarray):
        return value
    root: Any = value
    while isinstance(root.base, np.ndarray):
        root = root.base
    if id(root) in owned or not value.flags.writeable:
        return value.copy(order="K")
    owned.add(id(root))
    return value
