"""Files of edges: which format a file has, NumPy's own, and from a file to a network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import ArgumentError, BackwaveError, WireError
from ...outline import Ints
from ..make.checks import EDGE_BYTES, MOST_NODES
from ..make.memory import require_memory
from ..piece import Floats
from ..whole import Whole

COLUMNS = ("source", "target", "weight")

Edges = tuple[Ints, Ints, Floats]
"""Sources, targets and weights: int32, int32 and float64."""

Show = Callable[[int, int], None]
"""Takes how much is read, and of how much."""

HELD_BYTES = 16
"""What the edges of a file take, before a network is made of them."""

TEXT = (".txt", ".tsv", ".csv")


def from_file(path: Any) -> tuple[Path, Edges]:
    """Read a file of edges; see :meth:`Network.from_file`. Returns also the path that it has."""
    file = _path(path)
    if not file.is_file():
        raise ArgumentError(f"there is no file {file}")
    edges = _read(file)
    if not len(edges[0]):
        raise ArgumentError(f"{file} has no edge in it")
    return file, edges


def save_edges(network: Whole, path: Any) -> None:
    """Write the edges of a network to a file; see :meth:`Network.save_edges`."""
    file = _path(path)
    write = _writer(file)
    if not len(network.piece.weight):
        raise ArgumentError(f"{network!r} has no weights on its edges")
    edges = network.source.astype(np.int32), network.target.astype(np.int32), network.weight
    partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as out:
            write(out, edges, file)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def require_edges_fit(edges: int) -> None:
    """Raise unless there is memory for so many edges, and for the network made of them."""
    require_memory((HELD_BYTES + EDGE_BYTES) * edges, f"{edges:,} edges")


def node_numbers(array: Ints, what: str) -> Ints:
    """Return node numbers as int32.

    Raises:
        ArgumentError: they are no integers, or out of range; says ``what`` they are.

    """
    if array.dtype.kind not in "iu":
        raise ArgumentError(f"{what} is {array.dtype}, and nodes are numbered by integers")
    if len(array) and (array.min() < 0 or array.max() > MOST_NODES):
        bad = array[(array < 0) | (array > MOST_NODES)][0]
        raise ArgumentError(f"{what} names node {bad}; nodes are numbered from 0 to {MOST_NODES}")
    return array.astype(np.int32, copy=False)


def require_columns(names: list[str], file: Path) -> None:
    """Raise unless a file has the three columns, each once."""
    for column in COLUMNS:
        if names.count(column) != 1:
            there = ", ".join(map(repr, names)) or "none"
            how = "no column" if column not in names else "more than one column"
            raise ArgumentError(
                f"{file} has {how} {column!r}; an edge has {', '.join(COLUMNS)}, "
                f"and the file has {there:.200}"
            )


def damaged(file: Path, error: Exception) -> WireError:
    """Return an error that says in one line why a library could not read a file."""
    return WireError(f"{file} is cut short or damaged: {' '.join(str(error).split()):.200}")


def _path(path: Any) -> Path:
    try:
        return Path(path)
    except TypeError:
        raise ArgumentError(f"{path!r:.40} is no path of a file") from None


def _read(file: Path) -> Edges:
    columns = _Columns()
    with _bar(file) as show:
        for edges in _reader(file)(file, show):
            columns.add(edges)
    return columns.all()


def _reader(file: Path) -> Callable[[Path, Show], Iterator[Edges]]:
    if file.suffix == ".npz":
        return _read_npz
    read: Callable[[Path, Show], Iterator[Edges]]
    read = _with_arrow("edge_parquet" if file.suffix == ".parquet" else "edge_text").read
    return read


def _writer(file: Path) -> Callable[[BinaryIO, Edges, Path], None]:
    if file.suffix == ".npz":
        return _write_npz
    write: Callable[[BinaryIO, Edges, Path], None]
    if file.suffix == ".parquet":
        write = _with_arrow("edge_parquet").write
    elif (file.with_suffix("") if file.suffix == ".gz" else file).suffix in TEXT:
        write = _with_arrow("edge_text").write
    else:
        raise ArgumentError(
            f"{file.name} says no format by its end; choose {', '.join(TEXT)}, "
            f"each with or without .gz, .parquet or .npz"
        )
    return write


def _with_arrow(module: str) -> Any:
    """Return one of the modules here that need pyarrow."""
    try:
        return import_module(f".{module}", __package__)
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("pyarrow"):
            raise
        raise ArgumentError(
            "text and Parquet files of edges need pyarrow; install it with "
            "pip install 'backwave[files]', or use .npz"
        ) from None


class _Columns:
    """Edges as they come, in arrays that grow where they are: a list of parts, joined in the end,
    would be there twice.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._columns: list[np.ndarray[Any, Any]] = [
            np.empty(0, np.int32),
            np.empty(0, np.int32),
            np.empty(0),
        ]

    def add(self, edges: Edges) -> None:
        """Add edges, with room for a quarter more: what is resized is filled, too."""
        rows = self._rows + len(edges[0])
        for column, part in zip(self._columns, edges, strict=True):
            if rows > len(column):
                column.resize(rows + rows // 4, refcheck=False)
            column[self._rows : rows] = part
        self._rows = rows

    def all(self) -> Edges:
        """Return all of them, without the room."""
        for column in self._columns:
            column.resize(self._rows, refcheck=False)
        source, target, weight = self._columns
        return source, target, weight


@contextmanager
def _bar(file: Path) -> Iterator[Show]:
    """Show on standard error how much is read, where that is a terminal."""
    # Here, since most networks come from no file.
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"reading {escape(file.name)}", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield show


def _read_npz(file: Path, show: Show) -> Iterator[Edges]:
    try:
        # Opened here: where an archive is damaged, NumPy leaves what it opened itself open.
        with file.open("rb") as raw:
            arrays = np.load(raw, allow_pickle=False)
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise ArgumentError(f"{file} is one array; np.savez makes files of several")
            require_columns(list(arrays), file)
            assert arrays.zip is not None  # it is open
            # By the list of what is in the archive: 8 bytes a weight.
            require_edges_fit(arrays.zip.getinfo("weight.npy").file_size // 8)
            columns = []
            for k, name in enumerate(COLUMNS):
                columns.append(_npz_column(arrays[name], name, file))
                show(k + 1, len(COLUMNS))
    except BackwaveError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds
        raise damaged(file, error) from None
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise ArgumentError(f"{file} has columns of lengths {lengths}; each edge has one of each")
    yield columns[0], columns[1], columns[2]


def _npz_column(array: Any, name: str, file: Path) -> Any:
    what = f"{file}: {name}"
    if array.ndim != 1:
        raise ArgumentError(f"{what} has {array.ndim} axes, and a column has one")
    if name != "weight":
        return node_numbers(array, what)
    if array.dtype.kind not in "iuf":
        raise ArgumentError(f"{what} is {array.dtype}, and weights are numbers")
    return array.astype(np.float64, copy=False)


def _write_npz(out: BinaryIO, edges: Edges, file: Path) -> None:
    source, target, weight = edges
    np.savez(out, source=source, target=target, weight=weight)
