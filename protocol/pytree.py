"""Arguments and gradients as pytrees: nested tuples, lists, dicts, named tuples, dataclasses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import optree

NAMESPACE = "backwave"
"""Where optree knows the dataclasses that came as arguments."""


def flatten_tree(tree: Any) -> tuple[list[Any], Any]:
    """Return the leaves of a pytree and its structure. A dataclass is a node of its fields."""
    leaves, structure = optree.tree_flatten(tree, namespace=NAMESPACE)
    unknown = {type(leaf) for leaf in leaves if _is_container(leaf)}
    if not unknown:
        return leaves, structure
    for kind in unknown:
        _register(kind)
    return flatten_tree(tree)


def map_tree(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return a pytree with the function applied to every leaf. A dataclass is a node."""
    leaves, structure = flatten_tree(tree)
    return optree.tree_unflatten(structure, map(function, leaves))


def _is_container(leaf: Any) -> bool:
    return is_dataclass(leaf) and not isinstance(leaf, type) and not hasattr(leaf, "dtype")


def _register(kind: type) -> None:
    """Let optree take a dataclass apart. Text in it is no argument: it stays as it is."""

    def flatten(value: Any) -> tuple[list[Any], Any, list[str]]:
        names = [field.name for field in fields(value)]
        still = {name for name in names if isinstance(getattr(value, name), str)}
        varying = [name for name in names if name not in still]
        kept = tuple((name, getattr(value, name)) for name in sorted(still))
        return [getattr(value, name) for name in varying], (tuple(varying), kept), varying

    def unflatten(about: Any, children: Any) -> Any:
        varying, kept = about
        value: Any = object.__new__(kind)
        for name, child in (*zip(varying, children, strict=True), *kept):
            object.__setattr__(value, name, child)
        return value

    optree.register_pytree_node(
        kind,
        flatten,
        unflatten,
        path_entry_type=optree.GetAttrEntry,
        namespace=NAMESPACE,
    )


def pattern(structure: Any) -> str:
    """Say what a structure looks like, for an error: ``{'w': *, 'b': *}``."""
    if structure is None:
        return "several parts"
    text = str(structure).removeprefix("PyTreeSpec(").removesuffix(")")
    return text.replace(f", namespace={NAMESPACE!r}", "")


class Flat:
    """Arguments as a flat list of leaves, which argument each is in, and where in it."""

    __slots__ = ("arguments", "leaves", "structure")

    def __init__(self, args: tuple[Any, ...]) -> None:
        self.leaves: list[Any]
        self.leaves, self.structure = flatten_tree(args)
        self.arguments: list[int] = []
        for argument, child in enumerate(self.structure.children()):
            self.arguments.extend([argument] * child.num_leaves)

    def paths(self) -> list[str]:
        """Return each leaf's path, such as ``args[0]['weight']``."""
        return [accessor.codify("args") for accessor in self.structure.accessors()]


def flatten(args: tuple[Any, ...]) -> Flat:
    """Flatten the arguments, which are pytrees."""
    return Flat(args)
