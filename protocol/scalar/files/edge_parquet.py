"""Files of edges in Parquet: columns source, target and weight."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from ...errors import ArgumentError, BackwaveError, WireError
from .edge_file import (
    COLUMNS,
    Edges,
    Show,
    damaged,
    node_numbers,
    require_columns,
    require_edges_fit,
)

CHUNK = 2**20
"""So many edges are read, or written as a row group, at a time."""

_SCHEMA = pa.schema(zip(COLUMNS, (pa.int32(), pa.int32(), pa.float64()), strict=True))


def read(file: Path, show: Show) -> Iterator[Edges]:
    """Read the edges in chunks; see :meth:`Network.from_file`."""
    rows = 0
    try:
        # Without pre-buffering, which would hold a whole row group.
        with parquet.ParquetFile(file, pre_buffer=False, page_checksum_verification=True) as opened:
            require_columns(opened.schema_arrow.names, file)
            total = opened.metadata.num_rows
            require_edges_fit(total)
            for batch in opened.iter_batches(CHUNK, columns=list(COLUMNS)):
                source, target, weight = (_column(batch, name, rows, file) for name in COLUMNS)
                yield (
                    node_numbers(source, f"{file}: source"),
                    node_numbers(target, f"{file}: target"),
                    weight.astype(np.float64, copy=False),
                )
                rows += len(batch)
                show(rows, total)
    except BackwaveError:
        raise
    except Exception as error:  # pyarrow raises a dozen kinds
        raise damaged(file, error) from None
    if rows != total:
        raise WireError(f"{file} is damaged: it says that it has {total:,} rows, and has {rows:,}")


def _column(batch: Any, name: str, first: int, file: Path) -> Any:
    column = batch.column(name)
    if not (
        pa.types.is_integer(column.type) or (pa.types.is_floating(column.type) and name == "weight")
    ):
        needed = "weights are numbers" if name == "weight" else "nodes are numbered by integers"
        raise ArgumentError(f"{file}: {name} is {column.type}, and {needed}")
    if column.null_count:
        row = first + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise ArgumentError(f"{file}: {name} is missing in row {row}, counted from 0")
    return column.to_numpy(zero_copy_only=False)


def write(out: BinaryIO, edges: Edges, file: Path) -> None:
    """Write the edges, with checksums; see :meth:`Network.save_edges`."""
    table = pa.table(list(edges), schema=_SCHEMA)
    parquet.write_table(
        table, out, row_group_size=CHUNK, use_dictionary=False, write_page_checksum=True
    )
