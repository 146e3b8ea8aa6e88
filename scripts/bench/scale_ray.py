"""Two Ray workers against one, on the same network."""

from __future__ import annotations

from ...actors.cluster import Cluster
from ...protocol.network import Network
from ..show import count
from .measure import Measured, of_times, timed
from .scale_passes import inputs_for, wide_network


def two_workers(edges: int) -> list[Measured]:
    """Measure passes of ten wide layers, with sources anywhere in the layer below, and near by."""
    reach = edges // 10_000
    return [
        *_compare(wide_network(edges), "anywhere"),
        *_compare(wide_network(edges, reach), f"within {count(reach)}"),
    ]


def _compare(network: Network, sources: str) -> list[Measured]:
    inputs = inputs_for(network)

    def seconds(cluster: Cluster, combiner: bool) -> float:
        return timed(
            lambda: cluster.backward(network, inputs, partitioner="width", combiner=combiner)
        )

    def measure(combiner: bool) -> Measured:
        return of_times(
            f"2 Ray workers / 1, {sources}{', combiner' if combiner else ''}",
            lambda: (seconds(two, combiner), seconds(one, False)),
            goal=1 / 1.5,
            how=f"one pass of {count(network.edges)} edges in ten wide layers, each cut across, "
            f"on workers that have run one before; the sources of a node are {sources} in the "
            f"layer below",
            pairs=5,
            warm=1,
        )

    # Two sets of workers on one local Ray, so that both stay loaded and can be timed in turn.
    with Cluster(workers=2) as two, Cluster(workers=1) as one:
        return [measure(combiner=False), measure(combiner=True)]
