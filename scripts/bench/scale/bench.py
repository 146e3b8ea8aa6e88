"""``backwave bench scale``: networks of scalar nodes, up to a hundred million edges."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import psutil

from ....protocol.errors import ArgumentError, ClusterError
from ...show import count, size
from ..inprocess import autograd
from ..measure import Measured
from ..sheet import Sheet
from .growth import LARGE, MOST_BYTES, growth, sizes_sheet, speed
from .memory import can_measure, peaks
from .passes import random_network, wide_network
from .peers import torch_or_none
from .ratios import against_products, against_scalars, given_in_any_order, traced_loop
from .ray import two_workers

SIZES = (100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000)
SMALLEST = 10_000

COMPARED = 10_000_000
"""Ratios are taken on networks of so many edges, or of the most that are asked for."""

GROWS_TO = 50_000_000
"""The slope is taken up to so many edges."""

ON_RAY = 50_000_000
LEAST_ON_RAY = 1_000_000
"""Two Ray workers are compared with one on so many edges, or on the most that are asked for; below
the second figure the calls are what takes time."""

BASE = 500_000_000
BYTES, RATIO_BYTES, RAY_BYTES = 80, 180, 280
"""The memory that it takes at most, as measured: for compiled code and libraries; and an edge, to
measure speed and memory, to take ratios, and on Ray, with the pieces of one worker and of two."""


def scale(sizes: Sequence[int] = SIZES) -> list[Measured | Sheet]:
    """Measure networks of these sizes in edges, as far as memory allows; say beforehand how far.

    Raises:
        ArgumentError: a size is too small, there is too little memory for any, or HIPS/autograd is
            not installed.

    """
    if min(sizes) < SMALLEST:
        raise ArgumentError(
            f"{count(min(sizes))} edges are too few to time: bench scale takes {count(SMALLEST)} "
            f"or more"
        )
    autograd()  # says that it is missing before anything is measured
    kept, on_ray = _allowed(sorted(set(sizes)))
    torch = torch_or_none()
    by_size = sizes_sheet([*_rows(kept, torch)])
    found = [*_ratios(min(COMPARED, kept[-1]), torch)]
    found += _on_ray(on_ray)
    return [*found, by_size, *growth(kept[0], min(kept[-1], GROWS_TO), _say)]


def _rows(sizes: Sequence[int], torch: Any) -> Iterator[dict[str, Any]]:
    for edges, (given, shuffled) in zip(sizes, _memory(sizes), strict=True):
        _say(f"speed, {count(edges)} edges")
        yield {
            **speed(edges, torch),
            "bytes_per_edge": given,
            "bytes_per_edge_shuffled": shuffled,
            "bytes_per_edge_goal": MOST_BYTES if edges >= LARGE else None,
        }


def _memory(sizes: Sequence[int]) -> list[tuple[float, float]] | list[tuple[None, None]]:
    if not can_measure():
        _say("memory: left out, since this system tells no process its peak; Linux does")
        return [(None, None)] * len(sizes)
    _say(f"memory, {' and '.join(map(count, sizes))} edges, in a process of its own")
    return peaks(sizes)


def _ratios(edges: int, torch: Any) -> Iterator[Measured]:
    _say(f"ratios, {count(edges)} edges at random")
    network = random_network(edges)
    yield from against_products("random", network)
    yield given_in_any_order(network)
    yield from against_scalars(torch, network)
    del network  # before the next are made
    _say(f"ratios, {count(edges)} edges in ten layers")
    yield from against_products("layered", wide_network(edges))
    nodes = edges // 10
    _say(f"a traced loop, {count(nodes)} nodes")
    yield traced_loop(nodes)


def _on_ray(edges: int) -> list[Measured]:
    if not edges:
        return []
    _say(f"two Ray workers, {count(edges)} edges")
    try:
        return two_workers(edges)
    except ClusterError as error:  # what was measured before is not lost for it
        _say(f"Ray workers: left out, since {error}")
        return []


def _allowed(sizes: Sequence[int]) -> tuple[list[int], int]:
    """Return the sizes that memory allows, and the size on Ray, 0 for none; say what is needed."""
    free = psutil.virtual_memory().available
    _say(f"{size(free)} of memory are free; what is needed at most:")
    kept = [edges for edges in sizes if _fits(f"{count(edges)} edges", _needed(edges), free)]
    if not kept:
        raise ArgumentError(
            f"{count(sizes[0])} edges need some {size(_needed(sizes[0]))} of memory, and "
            f"{size(free)} are free; give smaller --sizes"
        )
    on_ray = min(ON_RAY, kept[-1])
    if on_ray < LEAST_ON_RAY:
        _say(f"on Ray: left out below {count(LEAST_ON_RAY)} edges, where calls take the time")
        return kept, 0
    fits = _fits(f"{count(on_ray)} edges on Ray", BASE + RAY_BYTES * on_ray, free)
    return kept, on_ray if fits else 0


def _needed(edges: int) -> int:
    return BASE + max(BYTES * edges, RATIO_BYTES * min(edges, COMPARED))


def _fits(what: str, needed: int, free: int) -> bool:
    _say(f"  {size(needed):>8} for {what}{'' if needed <= free else ': left out'}")
    return needed <= free


def _say(what: str) -> None:
    """Say on standard error what will be measured, and then what is."""
    sys.stderr.write(f"scale: {what}\n")
