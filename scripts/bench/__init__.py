"""``backwave bench``: ratios against peers and limits, each measured in one run.

A ratio is the median over pairs: ours and theirs are timed in turn, so that a machine whose speed
drifts does so for both.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from ...protocol.errors import ArgumentError
from ..show import console, print_json, progress, seconds, table
from . import dispatch, gpu, inprocess, lstm, onray
from .measure import Measured

BENCHES = {
    "chain": inprocess.chain,
    "mlp": inprocess.mlp,
    "dispatch": dispatch.dispatch,
    "lstm": lstm.lstm,
    "ray": onray.ray_pass,
    "run": onray.whole_run,
    "gpu": gpu.gpu,
}
NAMES = tuple(BENCHES)


def run(options: Namespace) -> None:
    """Run the command."""
    for name in options.names:
        if name not in BENCHES:
            raise ArgumentError(f"there is no bench {name!r}; choose from {', '.join(NAMES)}")
    names = options.names or [name for name in NAMES if name != "gpu"]
    measured: list[Measured] = []
    for name in names:
        with progress(f"measuring {name}"):
            measured += BENCHES[name]()
    if options.json:
        print_json({"measured": [asdict(each) for each in measured]}, options.out)
        return
    rows = [
        (
            each.what,
            seconds(each.ours),
            seconds(each.theirs),
            f"{each.ratio:.2f}",
            "" if each.goal is None else f"{each.goal:g}",
        )
        for each in measured
    ]
    out = console()
    out.print(table("Ratios", ("ours / theirs", "ours", "theirs", "ratio", "goal"), rows))
    for each in measured:
        out.print(f"[bold]{each.what}[/]: {each.how}", style="dim")
