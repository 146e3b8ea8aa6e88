"""Figures that are no ratios: a table for people, and the same rows for programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from ..show import table

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of figures.

    Attributes:
        name: what programs call it.
        title: what people call it.
        rows: from keys to figures, in seconds, bytes and edges; None where nothing was measured.
        columns: for each column that people see its heading, its key, and how it is written.
        how: what was measured, how.

    """

    name: str
    title: str
    rows: list[Row]
    columns: tuple[tuple[str, str, Callable[[Any], str]], ...]
    how: str

    def table(self) -> Table:
        """Return the table that people see."""
        cells = [
            ["" if row[key] is None else write(row[key]) for _, key, write in self.columns]
            for row in self.rows
        ]
        return table(self.title, [heading for heading, _, _ in self.columns], cells)
