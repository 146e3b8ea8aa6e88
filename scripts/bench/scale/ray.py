"""Two Ray workers against one, on the same network."""

from __future__ import annotations

from math import isqrt

import numpy as np

from ....actors.cluster import Cluster
from ....protocol.scalar import Network
from ...show import count
from ..measure import Measured, of_times, timed
from .passes import inputs_for, wide_network

DEPTH, DEGREE, INPUTS, REACH = 3, 8, 2_000, 1_000


def two_workers(edges: int) -> list[Measured]:
    """Measure passes of a wide network with sources near by, and of one with sources anywhere."""
    near = near_network(edges)
    layered = wide_network(edges)
    return [
        *_compare(near, f"near, {DEPTH} levels", f"within {count(REACH)} places"),
        *_compare(layered, "anywhere, 10 levels", "anywhere"),
    ]


def near_network(edges: int) -> Network:
    """Make a wide and shallow network of about so many edges, of which a cut across cuts few.

    A few inputs, ``DEPTH`` layers of nodes that take ``DEGREE`` inputs from places near their own,
    and the output, which sums the top layer in two steps.
    """
    random = np.random.default_rng(0)
    width = edges // (DEPTH * DEGREE + 1)
    groups = isqrt(width)
    own = np.repeat(np.tile(np.arange(width, dtype=np.int32), DEPTH), DEGREE)
    source = (own + random.integers(-REACH, REACH, len(own), np.int32, endpoint=True)) % width
    first = width * DEGREE
    source[:first] = source[:first].astype(np.int64) * INPUTS // width
    source[first:] += np.repeat(
        INPUTS + width * np.arange(DEPTH - 1, dtype=np.int32), width * DEGREE
    )
    target = INPUTS + np.repeat(np.arange(width * DEPTH, dtype=np.int32), DEGREE)
    top = INPUTS + width * (DEPTH - 1)
    sums = top + width
    weight = random.standard_normal(len(source)) / np.sqrt(DEGREE)
    return Network(
        np.concatenate([source, np.arange(top, sums + groups, dtype=np.int32)]),
        np.concatenate([
            target,
            (sums + np.arange(width) * groups // width).astype(np.int32),
            np.full(groups, sums + groups, np.int32),
        ]),
        np.concatenate([weight, np.full(width + groups, 1.0 / groups)]),
    )  # fmt: skip


def _compare(network: Network, what: str, sources: str) -> list[Measured]:
    inputs = inputs_for(network)

    def seconds(cluster: Cluster, combiner: bool) -> float:
        return timed(lambda: cluster.backward(network, inputs, combiner=combiner))

    def measure(combiner: bool) -> Measured:
        return of_times(
            f"2 Ray workers / 1, {what}{', combiner' if combiner else ''}",
            lambda: (seconds(two, combiner), seconds(one, False)),
            goal=1 / 1.5,
            how=f"one pass of {network!r}, each level cut across, on workers that have run one "
            f"before; the sources of a node are {sources} in the layer below",
            pairs=9,
            warm=1,
        )

    # Two sets of workers on one local Ray, so that both stay loaded and can be timed in turn.
    with Cluster(workers=2) as two, Cluster(workers=1) as one:
        return [measure(combiner=False), measure(combiner=True)]
