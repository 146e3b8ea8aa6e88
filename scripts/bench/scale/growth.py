"""How speed and memory of networks of scalar nodes go with their size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from ....protocol.derivatives.backward import backward
from ...show import count, seconds
from ..measure import timed
from ..sheet import Row, Sheet
from .passes import LAYER, deep_network, inputs_for, random_network, sweeps
from .peers import scipy_products, torch_products

LARGE = 10_000_000
MOST_BYTES = 40.0
"""The goal: at most so many bytes an edge beyond the arrays given, in networks so large."""

POINTS = 9
"""Time against V + E is measured on so many networks."""


def speed(edges: int, torch: Any) -> Row:
    """Measure a random network of so many edges; edges per second on one core."""
    network = random_network(edges)
    inputs = inputs_for(network)
    products, matrix = scipy_products(network)
    theirs = None if torch is None else torch_products(torch, matrix)
    times = []
    for _ in range(1 + _rounds(edges)):
        ours = sweeps(network, inputs)
        times.append(
            (
                ours.forward,
                ours.backward,
                ours.both,
                products(1),
                np.nan if theirs is None else theirs(1),
            )
        )
    forward, back, both, scipy, pytorch = (network.edges / np.median(times[1:], axis=0)).tolist()
    return {
        "edges": network.edges,
        "nodes": network.nodes,
        "forward_edges_per_second": forward,
        "backward_edges_per_second": back,
        "both_edges_per_second": both,
        "scipy_edges_per_second": scipy,
        "torch_edges_per_second": None if theirs is None else pytorch,
    }


def _rounds(edges: int) -> int:
    return max(5, min(101, 150_000_000 // edges))


def sizes_sheet(rows: list[Row]) -> Sheet:
    """Return the sheet of what :func:`speed` measured, with memory."""
    return Sheet(
        "sizes",
        "Random networks by size: millions of edges a second, and bytes an edge",
        rows,
        (
            ("edges", "edges", count),
            ("forward", "forward_edges_per_second", _millions),
            ("backward", "backward_edges_per_second", _millions),
            ("both", "both_edges_per_second", _millions),
            ("SciPy", "scipy_edges_per_second", _millions),
            ("torch", "torch_edges_per_second", _millions),
            ("bytes", "bytes_per_edge", _tenths),
            ("shuffled", "bytes_per_edge_shuffled", _tenths),
        ),
        f"medians on one core; SciPy and torch make one sparse product (CSR). Bytes: the peak "
        f"beyond the arrays given, of building the network, one pass and ∂f/∂w of every edge, in "
        f"a process of its own; of edges by target, and in a random order. Goal: at most "
        f"{MOST_BYTES:g} from {count(LARGE)} edges on",
    )


def _millions(number: float) -> str:
    return f"{number / 1e6:.0f}"


def _tenths(number: float) -> str:
    return f"{number:.1f}"


def growth(smallest: int, largest: int, say: Callable[[str], None]) -> list[Sheet]:
    """Measure time against V + E over layers 1,000 wide, ever deeper, and the slope of it.

    Nothing where all these sizes are of one depth.
    """
    from scipy.stats import linregress  # takes half a second to import

    depths = np.unique(np.geomspace(smallest, largest, POINTS).astype(int) // LAYER)
    if len(depths) < 2:
        return []
    rows: list[Row] = []
    for layers in depths:
        network = deep_network(int(layers))
        say(f"time against size, {count(network.edges)} edges")
        one_pass = partial(backward, network, inputs_for(network))
        times = [timed(one_pass) for _ in range(1 + _rounds(network.edges))]
        taken = median(times[1:])
        each = taken / network.size
        rows.append({"size": network.size, "seconds": taken, "seconds_per_size": each})
    fit = linregress(*np.log([(row["size"], row["seconds"]) for row in rows]).T)
    return [
        Sheet(
            "growth",
            "Time against V + E",
            rows,
            (
                ("V + E", "size", count),
                ("time", "seconds", seconds),
                ("ns each", "seconds_per_size", lambda each: f"{each * 1e9:.2f}"),
            ),
            "bw.backward of layers 1,000 wide, with ten edges to a node; medians, on one core",
        ),
        Sheet(
            "slopes",
            "Slope on log axes",
            [
                {
                    "what": "time against V + E",
                    "slope": float(fit.slope),
                    "error": float(fit.stderr),
                    "goal": 1.0,
                    "within": 0.05,
                }
            ],
            (
                ("", "what", str),
                ("slope", "slope", "{:.3f}".format),
                ("error", "error", "{:.3f}".format),
                ("goal", "goal", "{:.2f}".format),
                ("±", "within", "{:.2f}".format),
            ),
            "by least squares (scipy.stats.linregress)",
        ),
    ]
