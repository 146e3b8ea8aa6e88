"""The timeline of a run as a Chrome trace, which https://ui.perfetto.dev shows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..protocol.timeline import Span

_TRACKS = {"receive": 1, "compute": 2, "send": 3}


def chrome_trace(timeline: Iterable[Span]) -> dict[str, Any]:
    """Return the timeline as the Chrome trace format has it.

    A worker is a process, with a track each for receiving, computing and sending; an arrow joins
    the slice that sent a frame to the one that received it. Where there are several waves, slices
    have theirs in their names, which also colours them. Times are in µs from the beginning.
    """
    spans = list(timeline)
    several = len({span.details["pass"] for span in spans if "pass" in span.details}) > 1
    start = min((span.start for span in spans), default=0)
    events: list[dict[str, Any]] = []
    for worker in sorted({span.worker for span in spans}):
        events.append(_named("process_name", worker, 0, f"worker {worker}"))
        events += [_named("thread_name", worker, tid, kind) for kind, tid in _TRACKS.items()]
    crossing = sorted(_frames(spans, "send") & _frames(spans, "receive"))
    arrows = {key: number for number, key in enumerate(crossing)}
    for span in spans:
        about = {"pid": span.worker, "tid": _TRACKS[span.kind], "ts": (span.start - start) / 1e3}
        duration = (span.end - span.start) / 1e3
        wave = f", wave {span.details['pass']}" if several and "pass" in span.details else ""
        events.append(
            {
                "ph": "X",
                "name": span.name + wave,
                "cat": span.kind,
                "dur": duration,
                "args": span.details,
            }
            | about
        )
        if _frame(span) in arrows:
            flow = {"name": "frame", "cat": "frame", "id": arrows[_frame(span)]} | about
            events.append(flow | ({"ph": "s"} if span.kind == "send" else {"ph": "f", "bp": "e"}))
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _frames(spans: list[Span], kind: str) -> set[tuple[int, int]]:
    return {_frame(span) for span in spans if span.kind == kind}


def _frame(span: Span) -> tuple[int, int]:
    """Return the pass and the number of the frame that a span sends or receives."""
    return span.details.get("pass", -1), span.details.get("frame", -1)


def _named(what: str, pid: int, tid: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}


def write_chrome_trace(timeline: Iterable[Span], path: Path) -> None:
    """Write the timeline to a file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(chrome_trace(timeline)))
