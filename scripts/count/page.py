"""The page of ``backwave count --sizes``: the figure and its numbers in one file of HTML."""

from __future__ import annotations

import os
import platform
from html import escape
from pathlib import Path

import numpy as np

from .growth import Report
from .plot import COLOURS, svg
from .tables import Shown, tables

_DARK = {
    "ink": "#e8e6e3",
    "faint": "#9a9a9a",
    "grid": "#33363a",
    "paper": "#16181b",
    "messages": "#d88fd0",
    "wave": "#56b4e9",
    "workers": "#2fc79a",
    "naive": "#ff8f4a",
}
_STYLE = """\
:root { color-scheme: light dark; %s }
@media (prefers-color-scheme: dark) { :root { %s } }
body { margin: 0 auto; max-width: 74rem; padding: 2rem 1.5rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 2.5rem 0 .5rem; }
p { margin: .25rem 0; color: var(--faint); max-width: 46rem; }
.wide { overflow-x: auto; }
svg { display: block; max-width: 100%%; min-width: 45rem; height: auto; margin-top: 1.5rem; }
svg text { font-family: system-ui, sans-serif !important; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .25rem .9rem; text-align: right; white-space: nowrap; }
th { border-bottom: 1px solid var(--faint); font-weight: 600; }
td { border-bottom: 1px solid var(--grid); }
.words th:nth-child(-n + 2), .words td:nth-child(-n + 2) { text-align: left; }
th:first-child, td:first-child { padding-left: 0; }
pre { padding: .75rem 1rem; border: 1px solid var(--grid); white-space: pre-wrap; }
"""


def write_page(report: Report, path: Path) -> None:
    """Write the page, which needs nothing but itself.

    Raises:
        OSError: it cannot be written.

    """
    colours = [
        " ".join(f"--{name}: {colour};" for name, colour in scheme.items())
        for scheme in (COLOURS, _DARK)
    ]
    title = escape(report.growing.title)
    numbers = "\n".join(map(_table, tables(report)))
    path.write_text(
        f"""\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
{_STYLE % tuple(colours)}</style>
<h1>{title}</h1>
<p>{_introduction(report)}</p>
<div class="wide">
{svg(report)}</div>
{numbers}
<h2>Made by</h2>
<pre>{escape(report.command)}</pre>
<p>on {escape(_machine())}</p>
</html>
""",
        encoding="utf-8",
    )


def _introduction(report: Report) -> str:
    wave = "A wave of messages takes work in proportion to the network size V + E"
    if report.calls.naive is None:
        return f"{wave}. Every message was counted."
    return f"{wave}, the naive algorithm to V · E. Every message and every step was counted."


def _machine() -> str:
    return (
        f"{platform.machine()} with {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, NumPy {np.__version__}"
    )


def _table(shown: Shown) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in shown.columns)
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in shown.rows]
    body = "\n".join(f"<tr>{line}</tr>" for line in [head, *lines])
    note = f"\n<p>{escape(shown.note)}</p>" if shown.note else ""
    kind = ' class="words"' if shown.left else ""
    return (
        f"<h2>{escape(shown.title)}</h2>\n"
        f'<div class="wide"><table{kind}>\n{body}\n</table></div>{note}'
    )
