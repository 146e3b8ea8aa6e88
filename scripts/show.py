"""What people see: tables and progress for a terminal, one JSON object for programs."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

WIDTH = 80


def console() -> Console:
    """Return the console that tables go to: at most 80 columns where the output is no terminal."""
    wide = Console(highlight=False)
    return wide if wide.is_terminal else Console(highlight=False, width=WIDTH)


def print_json(value: dict[str, Any], out: TextIO) -> None:
    """Print one JSON object."""
    json.dump(_finite(value), out, indent=2, allow_nan=False)
    out.write("\n")


class WithoutRaysNote(io.TextIOBase):
    """Standard output without Ray's note, from a thread of its own, that there are many workers.

    Whoever asks for an actor a node knows. Anything else that Ray has to say goes through.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._dropped = False

    def write(self, text: str) -> int:
        """Write, unless it is that note, or the end of its line."""
        if "worker processes have been started on node" in text:
            self._dropped = True
        elif not (self._dropped and text == "\n"):
            self._dropped = False
            self._out.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what was let through."""
        self._out.flush()


def _finite(value: Any) -> Any:
    """Put null where a number is NaN or infinite: JSON has neither."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show on standard error that something is going on, if a person is watching."""
    errors = Console(stderr=True, highlight=False)
    if not errors.is_terminal:
        yield
        return
    with errors.status(what):
        yield


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], left: int = 1
) -> Table:
    """Make a table; the first ``left`` columns hold words, the others numbers."""
    made = Table(
        title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False
    )
    for number, name in enumerate(columns):
        made.add_column(name, justify="left" if number < left else "right", no_wrap=number > 0)
    for row in rows:
        made.add_row(*(str(cell) for cell in row))
    return made


def count(number: int) -> str:
    """Write a count with thousands apart: ``1,234,567``."""
    return f"{number:,}"


def size(number: float) -> str:
    """Write a number of bytes: ``1.5 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def seconds(number: float) -> str:
    """Write a time with its unit: ``1.5 ms``."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if number * factor >= 1 or unit == "µs":
            return f"{number * factor:.3g} {unit}"
    return f"{number} s"
