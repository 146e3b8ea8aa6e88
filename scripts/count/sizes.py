"""``backwave count --sizes``: how counts and times grow with the network, for both algorithms."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, replace
from pathlib import Path

from ...actors.cluster import Cluster
from ...protocol.errors import ArgumentError
from ...protocol.scalar.make.memory import require_memory
from ..show import WithoutRaysNote, console, count, print_json, progress, size, table
from .growth import GENERATORS, Growing, Report, Slowly, calls, duration, inputs_for, spread, wave
from .page import write_page
from .plot import write_png
from .slopes import growths
from .tables import tables

MOST_NAIVE_SECONDS = 60.0
"""The naive algorithm is not run on a size that would take it longer."""


def run(options: Namespace) -> None:
    """Run the command."""
    growing = Growing.through(options.generator or GENERATORS[0], options.sizes)
    needed = growing.bytes_needed(options.sizes[-1], options.workers)
    require_memory(needed, f"{count(options.sizes[-1])} edges")
    folder = _folder(options.out_dir or "out/count")
    out = console()
    if not options.json:
        out.print(f"[bold]{growing.title}[/]")
        out.print(f"the largest takes at most {size(needed)} of memory\n")
    with _cluster(options.workers) as cluster:
        report = _measured(growing, options, cluster)
    picture, page = (folder / f"{growing.generator}.{kind}" for kind in ("png", "html"))
    with progress("drawing"):
        _write(report, picture, page)
    if options.json:
        print_json(
            {
                **asdict(report),
                "sizes": [each.as_dict() for each in report.sizes],
                "slopes": [
                    {
                        "what": one.what,
                        "against": one.against,
                        "slope": one.slope,
                        "sizes": len(one.fitted),
                    }
                    for one in growths(report)
                ],
                "bytes_needed": needed,
                "files": [str(picture), str(page)],
            },
            options.out,
        )
        return
    for shown in tables(report):
        out.print(table(shown.title, shown.columns, shown.rows, shown.left))
        if shown.note:
            out.print(f"{shown.note}\n")
    out.print(f"figure    {picture}\npage      {page}", soft_wrap=True)


def _write(report: Report, picture: Path, page: Path) -> None:
    try:
        write_png(report, picture)
        write_page(report, page)
    except OSError as problem:
        raise ArgumentError(f"the figure cannot be written: {problem}") from problem


def _folder(name: str) -> Path:
    """Make the folder for the figure, before work that would be lost without it."""
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ArgumentError(f"the figure cannot be written to {name}: {problem}") from problem
    return folder


@contextmanager
def _cluster(workers: int | None) -> Iterator[Cluster | None]:
    if not workers:
        yield None
        return
    with redirect_stdout(WithoutRaysNote(sys.stdout)):
        with progress("starting Ray"):
            cluster = Cluster(workers).__enter__()
        try:
            yield cluster
        finally:
            with progress("stopping Ray"):
                cluster.close()


def _measured(growing: Growing, options: Namespace, cluster: Cluster | None) -> Report:
    with progress("measuring the cost of a call"):
        cost = calls(options.naive, cluster)
        slowly = Slowly(growing, MOST_NAIVE_SECONDS) if options.naive else None
    sizes = []
    for edges in options.sizes:
        with progress(f"{count(edges)} edges: making the network"):
            network = growing.network(edges)
            given = inputs_for(network)
        with progress(f"{count(edges)} edges: waves of messages"):
            found, S = wave(network, given)
        if slowly:
            foreseen = duration(slowly.foresee(network).seconds)
            with progress(f"{count(edges)} edges: the naive algorithm ({foreseen})"):
                found = replace(found, naive=slowly.run(network, given, S))
        if cluster:
            with progress(f"{count(edges)} edges: over {cluster.workers} workers"):
                found = replace(found, workers=spread(cluster, network, given, S))
        sizes.append(found)
    return Report(growing, sizes, cost, options.workers, _command(growing, options))


def _command(growing: Growing, options: Namespace) -> str:
    parts = [
        f"backwave count --generator {growing.generator}",
        f"--sizes {','.join(map(str, options.sizes))}",
        *(["--naive"] if options.naive else []),
        *([f"--workers {options.workers}"] if options.workers else []),
    ]
    return " ".join(parts)
