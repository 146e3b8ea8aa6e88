"""``backwave bench``: ratios against peers and limits, each measured in one run.

A ratio is the median over pairs: ours and theirs are timed in turn, so that a machine whose speed
drifts does so for both.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

from ...protocol.errors import ArgumentError
from ..show import console, print_json, progress, seconds, table
from . import dispatch, gpu, inprocess, lstm, onray, waves
from .measure import Measured
from .scale import bench as scale
from .sheet import Sheet

BENCHES: dict[str, Callable[[], Sequence[Measured | Sheet]]] = {
    "chain": inprocess.chain,
    "mlp": inprocess.mlp,
    "dispatch": dispatch.dispatch,
    "lstm": lstm.lstm,
    "ray": onray.ray_pass,
    "run": onray.whole_run,
    "step": waves.step,
    "pipeline": waves.pipeline,
    "scale": scale.scale,
    "gpu": gpu.gpu,
}
NAMES = tuple(BENCHES)
BY_NAME_ONLY = "scale", "gpu"
"""What is not measured unless it is named: what takes minutes, or needs what few have."""


def run(options: Namespace) -> None:
    """Run the command."""
    for name in options.names:
        if name not in BENCHES:
            raise ArgumentError(f"there is no bench {name!r}; choose from {', '.join(NAMES)}")
    benches = dict(BENCHES)
    if options.sizes:
        if "scale" not in options.names:
            raise ArgumentError("--sizes says how large the networks of bench scale are; name it")
        benches["scale"] = partial(scale.scale, options.sizes)
    names = options.names or [name for name in NAMES if name not in BY_NAME_ONLY]
    found: list[Measured | Sheet] = []
    for name in names:
        with progress(f"measuring {name}"):
            found += benches[name]()
    measured = [each for each in found if isinstance(each, Measured)]
    sheets = [each for each in found if isinstance(each, Sheet)]
    if options.json:
        figures = {sheet.name: sheet.rows for sheet in sheets}
        print_json({"measured": [asdict(each) for each in measured], **figures}, options.out)
        return
    rows = [
        (
            each.what,
            seconds(each.ours),
            seconds(each.theirs),
            f"{each.ratio:.2f}" if each.ratio >= 0.01 else f"{each.ratio:.1e}",
            "" if each.goal is None else f"{each.goal:.3g}",
        )
        for each in measured
    ]
    out = console()
    out.print(table("Ratios", ("ours / theirs", "ours", "theirs", "ratio", "goal"), rows))
    for each in measured:
        out.print(f"[bold]{each.what}[/]: {each.how}", style="dim")
    for sheet in sheets:
        out.print()
        out.print(sheet.table())
        out.print(sheet.how, style="dim")
