"""Files of edges as text, a line each: read by pyarrow, block by block.

pyarrow knows no comments, and takes one character between fields. Blocks are made so by operations
on all their bytes; lines are looked at one by one only to name a damaged one.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import csv

from ...errors import ArgumentError, WireError
from ..make.checks import EDGE_BYTES, MOST_NODES
from ..make.memory import require_memory
from .edge_file import COLUMNS, HELD_BYTES, Edges, Show, damaged

BLOCK = 2**23
"""So many bytes are read at a time."""

LONGEST_LINE = 2**16

CHUNK = 2**20
"""So many edges are written at a time."""

_BLANKS = bytes.maketrans(b"\t\r\v\f", b"    ")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COUNT = re.compile(rb"# edges: (\d{1,18})\s")
_TYPES = dict(zip(COLUMNS, (pa.int32(), pa.int32(), pa.float64()), strict=True))


@dataclass(frozen=True, slots=True)
class _Layout:
    """What stands between the fields of a line, and what they are called."""

    delimiter: str
    names: tuple[str, ...]


def read(file: Path, show: Show) -> Iterator[Edges]:
    """Read the edges in blocks; see :meth:`Network.from_file`."""
    size, rows = file.stat().st_size, 0
    layout, expected = None, None
    with file.open("rb") as raw:
        for line, block in _blocks(raw, file):
            if line == 1:
                block = block.removeprefix(_BYTE_ORDER_MARK)
                count = _COUNT.match(block)
                expected = int(count[1]) if count else None
            plain = _plain(block)
            first = None if layout else re.search(rb"[^\n]+", plain)
            if first:
                at = line + plain.count(b"\n", 0, first.start())
                layout, names_columns = _layout(first[0].decode(errors="replace"), file, at)
                if names_columns:
                    plain = plain[: first.start()] + plain[first.end() :]
            if layout and plain and not plain.isspace():
                edges = _edges(plain, layout, file, line)
                rows += len(edges[0])
                total = rows * size // max(raw.tell(), 1)  # if it goes on like this
                needed = (HELD_BYTES + EDGE_BYTES) * total - HELD_BYTES * rows
                require_memory(needed, f"some {total:,} edges")
                yield edges
            show(raw.tell(), size)
    if expected is not None and rows != expected:
        raise WireError(
            f"{file} says that it has {expected:,} edges, and has {rows:,}; it is cut short, or "
            f"its first line is out of date"
        )


def _blocks(raw: BinaryIO, file: Path) -> Iterator[tuple[int, bytes]]:
    """Read whole lines at a time, with the number of the first, counted from 1."""
    text = gzip.GzipFile(fileobj=raw) if file.suffix == ".gz" else raw
    line = 1
    while True:
        try:
            block = text.read(BLOCK)
            rest = text.readline(LONGEST_LINE)
        except (EOFError, OSError, zlib.error) as error:
            raise damaged(file, error) from None
        if not block:
            return
        if len(rest) == LONGEST_LINE:
            line += block.count(b"\n")
            raise WireError(f"{file}, line {line}, is longer than an edge: this is no such file")
        block += rest
        yield line, block
        line += block.count(b"\n")


def _plain(block: bytes) -> bytes:
    """Take comments and needless blanks out; the lines stay."""
    if b"#" in block:
        block = re.sub(rb"#[^\n]*", b"", block)
    block = block.translate(_BLANKS)
    while b"  " in block:
        block = block.replace(b"  ", b" ")
    return block.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")


def _layout(line: str, file: Path, number: int) -> tuple[_Layout, bool]:
    """Return how the lines are laid out, by the first, and whether that names columns."""
    delimiter = "," if "," in line else " "
    fields = [field.strip(' "').lower() for field in line.split(delimiter)]
    if any(_is_number(field) for field in fields):
        return _Layout(delimiter, COLUMNS), False
    if any(fields.count(column) != 1 for column in COLUMNS):
        raise ArgumentError(
            f"{file}, line {number}: {line!r:.60} is no edge, and does not name the columns "
            f"{', '.join(COLUMNS)}"
        )
    return _Layout(delimiter, tuple(fields)), True


def _edges(plain: bytes, layout: _Layout, file: Path, line: int) -> Edges:
    try:
        table = csv.read_csv(
            pa.BufferReader(plain),
            csv.ReadOptions(column_names=list(layout.names)),
            csv.ParseOptions(delimiter=layout.delimiter, quote_char=False),
            csv.ConvertOptions(column_types=_TYPES, include_columns=COLUMNS, null_values=[]),
        )
    except pa.ArrowInvalid as error:
        raise _damage(plain, layout, file, line, str(error)) from None
    source, target, weight = (column.to_numpy() for column in table.columns)
    if min(source.min(), target.min()) < 0 or not np.isfinite(weight).all():
        raise _damage(plain, layout, file, line, "a number is out of range")
    return source, target, weight


def _damage(plain: bytes, layout: _Layout, file: Path, first: int, error: str) -> WireError:
    """Return an error that names the first damaged line of a block."""
    lines = plain.decode(errors="replace").split("\n")
    for number, line in enumerate(lines, first):
        fault = _fault(line, layout)
        if fault:
            # What ends a line is there unless this is the last one of the file.
            last = number == first + len(lines) - 1
            hint = "; the file ends there: it may be cut short" if last else ""
            return WireError(f"{file}, line {number}: {line!r:.60} {fault}{hint}")
    return WireError(f"{file}, lines {first} to {first + len(lines) - 1}: {error}")


def _fault(line: str, layout: _Layout) -> str | None:
    """Say what is wrong with a line, if anything is."""
    if not line:
        return None
    fields = line.split(layout.delimiter)
    if len(fields) != len(layout.names):
        names = ", ".join(layout.names)
        return f"is of {len(fields)} fields, not of {len(layout.names)}: {names}"
    for name, field in zip(layout.names, fields, strict=True):
        if name == "weight":
            if not _is_number(field) or not isfinite(float(field)):
                return f"has {field!r:.40} for a weight, no finite number"
        elif name in COLUMNS and not (re.fullmatch(r" *\d+ *", field) and int(field) <= MOST_NODES):
            return f"has {field!r:.40} for a {name}, no whole number from 0 to {MOST_NODES}"
    return None


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def write(out: BinaryIO, edges: Edges, file: Path) -> None:
    """Write the edges; see :meth:`Network.save_edges`."""
    inner = file.with_suffix("") if file.suffix == ".gz" else file
    delimiter = {".csv": ",", ".tsv": "\t"}.get(inner.suffix, " ")
    text = gzip.GzipFile("", "wb", 1, out, mtime=0) if file.suffix == ".gz" else out
    text.write(f"# edges: {len(edges[0])}\n{delimiter.join(COLUMNS)}\n".encode())
    options = csv.WriteOptions(include_header=False, delimiter=delimiter)
    with csv.CSVWriter(text, pa.schema(list(_TYPES.items())), write_options=options) as writer:
        for first in range(0, len(edges[0]), CHUNK):
            part = [pa.array(column[first : first + CHUNK]) for column in edges]
            writer.write(pa.record_batch(part, names=COLUMNS))
    if text is not out:
        text.close()
