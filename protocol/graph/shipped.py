"""A graph as it travels to workers, and the modules from which they import its primitives."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import UnknownPrimitiveError
from ..rules.primitive import SEPARATOR
from ..wires import Wires
from .file import read, require_known

Source = tuple[str, str]
"""A module, and the folder from which it is imported (empty if Python finds it by itself)."""


def sources(graph: Wires) -> tuple[Source, ...]:
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


@dataclass(frozen=True)
class ShippedGraph:
    """A graph as it travels to workers; where it has arrived it is opened once.

    Attributes:
        data: its file form.
        imports: the modules that define its users' primitives.

    """

    data: bytes
    imports: tuple[Source, ...] = ()

    def open(self) -> Wires:
        """Return the graph; its modules are imported first."""
        return self._wires

    @cached_property
    def _wires(self) -> Wires:
        import_sources(self.imports)
        fields = read(self.data)
        wires = Wires(**fields.wires)
        require_known(wires.nodes)
        return wires

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without what has been opened."""
        return ShippedGraph, (self.data, self.imports)
