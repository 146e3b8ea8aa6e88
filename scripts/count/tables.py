"""What ``backwave count --sizes`` shows as tables, on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..show import count, seconds, size
from .growth import Report, Size, duration
from .slopes import CALLS, SPREAD_TIME, growths


@dataclass(frozen=True, slots=True)
class Shown:
    """A table; the first ``left`` columns hold words, the others numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 0
    note: str | None = None


def tables(report: Report) -> list[Shown]:
    """Return a table for each algorithm that ran, and the slopes."""
    found = [_wave(report.sizes)]
    if report.calls.naive is not None:
        found.append(_naive(report.sizes))
    if report.workers:
        found.append(_spread(report.sizes, report.workers))
    return [*found, _slopes(report)]


def _wave(sizes: Sequence[Size]) -> Shown:
    rows = [
        (
            count(s.nodes),
            count(s.edges),
            count(s.messages),
            count(s.work),
            seconds(s.seconds),
            f"{s.ns_per_edge:.2f}",
        )
        for s in sizes
    ]
    columns = ("V", "E", "messages", "work", "time", "ns/edge")
    return Shown("The wave of messages: forward, then backward", columns, rows)


def _naive(sizes: Sequence[Size]) -> Shown:
    rows = [
        (
            count(s.edges),
            count(s.product),
            count(n.work),
            duration(n.seconds) if n.ran else f"({duration(n.seconds)})",
            _difference(n.difference),
        )
        for s in sizes
        if (n := s.naive)
    ]
    note = None
    if not all(s.naive.ran for s in sizes if s.naive):
        note = "In brackets: not run; the work by its closed form, the time at the rate before."
    columns = ("E", "V·E", "work", "time", "∆S")
    return Shown("The naive algorithm: every ∂u_i/∂u_j", columns, rows, note=note)


def _spread(sizes: Sequence[Size], workers: int) -> Shown:
    rows = [
        (
            count(s.edges),
            seconds(w.seconds),
            f"{s.seconds / w.seconds:.2g}",
            count(w.cross_messages),
            count(w.frames),
            size(w.payload_bytes),
            _difference(w.difference),
        )
        for s in sizes
        if (w := s.workers)
    ]
    note = None
    largest = sizes[-1].workers
    if largest and largest.frames:
        note = (
            f"Each level is cut across, and waits for frames from the one before: the largest "
            f"network takes {seconds(largest.seconds / largest.frames)} for each."
        )
    columns = ("E", "time", "speed-up", "cross messages", "frames", "bytes", "∆S")
    return Shown(f"The same wave over {workers} workers on Ray", columns, rows, note=note)


def _slopes(report: Report) -> Shown:
    rows = [
        (
            f"time over {report.workers} workers" if one.what == SPREAD_TIME else one.what,
            one.against,
            "" if one.slope is None else f"{one.slope:.3f}",
            count(len(one.fitted)),
        )
        for one in growths(report)
    ]
    calls = report.calls
    each = [f"{seconds(calls.wave)} of the wave"]
    each += [f"{seconds(calls.naive)} of the naive algorithm"] if calls.naive else []
    each += [f"{seconds(calls.workers)} over the workers"] if calls.workers else []
    note = (
        f"Times are fitted where they are {CALLS} calls on a network of one edge or more: "
        f"{', '.join(each)}."
    )
    columns = ("", "against", "slope", "of sizes")
    return Shown("Slopes on log axes, by least squares", columns, rows, left=2, note=note)


def _difference(number: float | None) -> str:
    """Write how far S is from that of one process."""
    if number is None:
        return ""
    return f"{number:.0e}" if number else "0"
