"""The figure of ``backwave count --sizes``: counts against size, and time against size."""

from __future__ import annotations

import io
from collections.abc import Sequence
from math import log10, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .growth import Report, duration
from .slopes import (
    MESSAGES,
    NAIVE_TIME,
    NAIVE_WORK,
    PRODUCT,
    SIZE,
    SPREAD_TIME,
    TIME,
    WORK,
    E,
    Growth,
    growths,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "ink": "#1b1b1b",
    "faint": "#6e6e6e",
    "grid": "#dedede",
    "paper": "#fefefe",
    "messages": "#aa4499",
    "wave": "#0072b2",
    "workers": "#009e73",
    "naive": "#d55e00",
}
"""Told apart by the colour-blind too (after Okabe and Ito, and Tol)."""

_COLOUR_OF = {
    MESSAGES: COLOURS["messages"],
    WORK: COLOURS["wave"],
    TIME: COLOURS["wave"],
    SPREAD_TIME: COLOURS["workers"],
    NAIVE_WORK: COLOURS["naive"],
    NAIVE_TIME: COLOURS["naive"],
}
_STYLE: Any = {
    "font.size": 9.5,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["faint"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.facecolor": COLOURS["paper"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlepad": 12,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.6,
    "xtick.color": COLOURS["faint"],
    "ytick.color": COLOURS["faint"],
    "figure.facecolor": COLOURS["paper"],
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "backwave",
}
_TIMES = {
    1e-6: "1 µs", 1e-5: "10 µs", 1e-4: "100 µs", 1e-3: "1 ms", 1e-2: "10 ms", 1e-1: "100 ms",
    1.0: "1 s", 10.0: "10 s", 60.0: "1 min", 3600.0: "1 h", 86400.0: "1 day", 2592e3: "30 days",
}  # fmt: skip
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_PANEL, _HEIGHT = 4.3, 3.6
_LEFT, _RIGHT, _BELOW, _ABOVE, _TITLE = 0.8, 1.05, 0.6, 0.4, 0.55
"""The size of a panel, what of it is left for labels, and what the title takes; in inches."""

_APART = 0.13
"""How far labels stand apart at least, in heights of a panel."""


def write_png(report: Report, path: Path) -> None:
    """Write the figure as a picture.

    Raises:
        OSError: it cannot be written.

    """
    # Here and below, since Matplotlib takes a third of a second to import.
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        made = _figure(report, _TITLE)
        left, top = _LEFT / made.get_figwidth(), 1 - 0.2 / made.get_figheight()
        made.text(left, top, report.growing.title, fontsize=12.5, va="top")
        made.savefig(path, dpi=200)


def svg(report: Report) -> str:
    """Return the figure as an SVG element whose colours are ``var(--name)``, after COLOURS."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        _figure(report, 0.0).savefig(text, format="svg", transparent=True, metadata={"Date": None})
    _, element, drawn = text.getvalue().partition("<svg")
    for name, colour in COLOURS.items():
        drawn = drawn.replace(colour, f"var(--{name})")
    return element + drawn


def _figure(report: Report, title: float) -> Figure:
    from matplotlib.figure import Figure

    grown = {(one.what, one.against): one for one in growths(report)}
    naive = (NAIVE_WORK, PRODUCT) in grown
    panels = 3 if naive else 2
    width, height = _PANEL * panels, _HEIGHT + title
    made = Figure(figsize=(width, height))
    axes = made.subplots(1, panels)
    inside = _PANEL - _LEFT - _RIGHT
    made.subplots_adjust(
        left=_LEFT / width,
        right=1 - _RIGHT / width,
        wspace=(_LEFT + _RIGHT) / inside,
        bottom=_BELOW / height,
        top=1 - (_ABOVE + title) / height,
    )
    _prepare(axes[0], "Messages and work", "E for messages, V + E for work")
    ends = [_line(axes[0], grown[MESSAGES, E], "messages")]
    ends.append(_line(axes[0], grown[WORK, SIZE], "work"))
    _say(axes[0], ends)
    if naive:
        _prepare(axes[1], "Work of the naive algorithm", "V · E")
        _say(axes[1], [_line(axes[1], grown[NAIVE_WORK, PRODUCT], "edges visited")])
    _time(axes[-1], grown, report.workers)
    return made


def _time(axes: Axes, grown: dict[tuple[str, str], Growth], workers: int | None) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator

    _prepare(axes, "Time until every S is known", "network size V + E")
    axes.yaxis.set_major_locator(FixedLocator(list(_TIMES)))
    axes.yaxis.set_major_formatter(FixedFormatter(list(_TIMES.values())))
    wave, naive = grown[TIME, SIZE], grown.get((NAIVE_TIME, SIZE))
    ends = [_line(axes, wave, "one process")]
    if (SPREAD_TIME, SIZE) in grown:
        ends.append(_line(axes, grown[SPREAD_TIME, SIZE], f"{workers} workers"))
    _reference(axes, wave, 1)
    if naive:
        ends.append(_line(axes, naive, "naive"))
        _reference(axes, naive, 2)
        for x, y in naive.foreseen:
            text = f"not run: {duration(y)}"
            _beside(axes, (x, y), text, xytext=(-8, 4), ha="right", va="bottom")
    _say(axes, ends)


def _prepare(axes: Axes, title: str, against: str) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(title)
    axes.set_xlabel(against, loc="right")
    axes.tick_params(length=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(
            FuncFormatter(lambda value, _: "10" + f"{log10(value):.0f}".translate(_SUPERSCRIPTS))
        )


class _End(NamedTuple):
    """How high a line ends, what to say there, and its colour."""

    y: float
    text: str
    colour: str


def _line(axes: Axes, growth: Growth, name: str) -> _End:
    """Draw what was measured, and go on to what was foreseen, hollow."""
    colour = _COLOUR_OF[growth.what]
    if growth.foreseen:
        x, y = zip(*growth.points[-1:], *growth.foreseen, strict=True)
        axes.plot(x, y, "--o", color=colour, markerfacecolor=COLOURS["paper"], linewidth=1.0)
    if growth.points:
        axes.plot(*zip(*growth.points, strict=True), "-o", color=colour)
    slope = "" if growth.slope is None else f"\nslope {growth.slope:.2f}"
    return _End([*growth.points, *growth.foreseen][-1][1], name + slope, colour)


def _reference(axes: Axes, growth: Growth, slope: int) -> None:
    """Draw a line of this slope behind, through the last point measured."""
    points = [*growth.points, *growth.foreseen]
    x, y = growth.points[-1] if growth.points else points[0]
    ends = points[0][0], points[-1][0]
    line = [(at, y * (at / x) ** slope) for at in (ends[0], sqrt(ends[0] * ends[1]), ends[1])]
    axes.plot(*zip(*line, strict=True), ":", color=COLOURS["faint"], linewidth=1.0, zorder=1)
    _beside(axes, line[1], f"slope {slope}", xytext=(6, -4), ha="left", va="top")


def _beside(axes: Axes, point: tuple[float, float], text: str, **where: Any) -> None:
    axes.annotate(
        text, point, textcoords="offset points", color=COLOURS["faint"], fontsize=8, **where
    )


def _say(axes: Axes, ends: Sequence[_End]) -> None:
    """Write beside the ends of lines what those are; labels too close together move apart."""
    axes.autoscale_view()
    low, high = np.log(axes.get_ylim())
    ends = sorted(ends)
    at = [float((np.log(end.y) - low) / (high - low)) for end in ends]
    for _ in ends:
        for k in range(len(at) - 1):
            missing = max(0.0, _APART - (at[k + 1] - at[k]))
            at[k] -= missing / 2
            at[k + 1] += missing / 2
    for y, end in zip(at, ends, strict=True):
        axes.text(1.03, y, end.text, color=end.colour, transform=axes.transAxes, va="center")
