"""From which modules workers import the users' primitives of a network."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

from .errors import UnknownPrimitiveError
from .graph import Graph
from .user_primitive import SEPARATOR

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
