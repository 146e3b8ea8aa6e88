"""Networks that grow: what the wave of messages and the naive algorithm count, and their time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from ...actors.cluster import Cluster
from ...protocol.derivatives.backward import backward
from ...protocol.scalar import Network
from ...protocol.scalar.make.checks import EDGE_BYTES, NODE_BYTES
from ...protocol.scalar.naive import naive, naive_work
from ...protocol.scalar.piece import Floats
from ...scheduler.make_plan import plan
from ..bench.measure import timed
from ..show import seconds

GENERATORS = ("layered", "random")
DEGREE = 10
WIDTH = 1000

SMALLEST = 100
"""The smallest size, in edges."""

MOST_PASSES = 101
ENOUGH_SECONDS = 2.0
"""A size is timed until there are so many passes, or those have taken so long."""


@dataclass(frozen=True, slots=True)
class Growing:
    """How a network grows: a layered one keeps its width and its degree, and gets deeper.

    A layer has a hundredth of the edges of the smallest size at most, so that all sizes have many.
    """

    generator: str
    width: int
    degree: int

    @classmethod
    def through(cls, generator: str, sizes: Sequence[int]) -> Growing:
        """Return what serves all these sizes, in edges."""
        width = max(1, min(WIDTH, min(sizes) // 100))
        return cls(generator, width, min(DEGREE, width) if generator == "layered" else DEGREE)

    def network(self, edges: int) -> Network:
        """Make a network of about so many edges; the same one every time."""
        if self.generator == "random":
            nodes, inputs = self._random(edges)
            return Network.random(nodes, self.degree, inputs=inputs)
        return Network.layered(self.width, self._depth(edges), self.degree)

    def bytes_needed(self, edges: int, workers: int | None) -> int:
        """Return how many bytes a network of so many edges takes at most, made and run.

        Beside what the processes of Ray take for themselves.
        """
        nodes, made = self._random(edges)[0], edges
        if self.generator == "layered":
            depth = self._depth(edges)
            nodes, made = self.width * (depth + 1) + 1, self.width * (depth * self.degree + 1)
        here = made * EDGE_BYTES + nodes * NODE_BYTES
        # Workers hold it as well, and its plan is laid out here: 2.7 times as much was measured.
        return 3 * here if workers else here

    def _depth(self, edges: int) -> int:
        return max(1, round((edges - self.width) / (self.width * self.degree)))

    def _random(self, edges: int) -> tuple[int, int]:
        """Return how many nodes there are, and how many of them are inputs: one in a hundred."""
        inputs = max(self.degree, edges // (100 * self.degree))
        return inputs + round(edges / self.degree), inputs

    @property
    def title(self) -> str:
        """Say it in words."""
        if self.generator == "random":
            return f"Random networks of degree {self.degree}"
        return f"Layered networks, {self.width:,} wide, of degree {self.degree}, ever deeper"


@dataclass(frozen=True, slots=True)
class Naive:
    """What the naive algorithm did; of a size that it was not run on, what it would have done.

    ``seconds`` were measured, or else are the work at the rate measured before. ``difference`` is
    the largest between its S and the wave's, relative to the largest S.
    """

    work: int
    seconds: float
    ran: bool
    difference: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """The same passes over workers on Ray; ``difference`` is the largest of S, 0 for equal bits."""

    seconds: float
    frames: int
    payload_bytes: int
    forward_frames: int
    forward_bytes: int
    cross_messages: int
    cut_edges: int
    difference: float


@dataclass(frozen=True, slots=True)
class Size:
    """One size: V, E, what a pass counted, and the median time of both sweeps."""

    nodes: int
    edges: int
    messages: int
    work: int
    seconds: float
    naive: Naive | None = None
    workers: Spread | None = None

    @property
    def network_size(self) -> int:
        """V + E."""
        return self.nodes + self.edges

    @property
    def product(self) -> int:
        """V·E."""
        return self.nodes * self.edges

    @property
    def ns_per_edge(self) -> float:
        """The time of both sweeps for one edge, in ns."""
        return self.seconds / self.edges * 1e9

    def as_dict(self) -> dict[str, Any]:
        """Return all numbers."""
        return {**asdict(self), "ns_per_edge": self.ns_per_edge}


@dataclass(frozen=True, slots=True)
class Calls:
    """What a call of each algorithm takes on a network of one edge: its cost beside all edges."""

    wave: float
    naive: float | None
    workers: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """Networks of several sizes, and what was measured on each."""

    growing: Growing
    sizes: list[Size]
    calls: Calls
    workers: int | None
    command: str


class Slowly:
    """Runs the naive algorithm where it takes at most so long, at the rate of the time before."""

    def __init__(self, growing: Growing, most_seconds: float) -> None:
        self.most_seconds = most_seconds
        network = growing.network(10_000)
        given = inputs_for(network)
        self.seconds_an_edge = median_seconds(lambda: naive(network, given)) / naive_work(network)

    def foresee(self, network: Network) -> Naive:
        """Say what it would do."""
        work = naive_work(network)
        return Naive(work, work * self.seconds_an_edge, ran=False, difference=None)

    def run(self, network: Network, given: Floats, S: Floats) -> Naive:
        """Run it, and compare its S with that of the wave; or say what it would do."""
        expected = self.foresee(network)
        if expected.seconds > self.most_seconds:
            return expected
        result = None

        def once() -> None:
            nonlocal result
            result = naive(network, given)

        took = median_seconds(once)
        assert result is not None
        self.seconds_an_edge = took / result.work
        difference = float(np.max(np.absolute(result.S - S)) / np.max(np.absolute(S)))
        return Naive(result.work, took, ran=True, difference=difference)


def wave(network: Network, given: Floats) -> tuple[Size, Floats]:
    """Run passes of a network in this process; return what they counted, and S at every node."""
    result = backward(network, given)
    ledger, S = result.ledger, result.S
    del result  # what a pass ran in serves the next one when its result is gone
    took = median_seconds(lambda: backward(network, given))
    return Size(network.num_nodes, network.num_edges, ledger.messages, ledger.work, took), S


def spread(cluster: Cluster, network: Network, given: Floats, S: Floats) -> Spread:
    """Run passes over the workers of a cluster, each level cut across."""
    # The plan is made here, so that the cluster does not keep those of other sizes.
    planned = plan(network, cluster.workers, partitioner="width")
    result = cluster.run(planned, given)
    ledger, difference = result.ledger, float(np.max(np.absolute(np.asarray(result.S) - S)))
    return Spread(
        seconds=median_seconds(lambda: cluster.run(planned, given)),
        frames=ledger.frames,
        payload_bytes=ledger.payload_bytes,
        forward_frames=ledger.forward_frames,
        forward_bytes=ledger.forward_bytes,
        cross_messages=ledger.cross_messages,
        cut_edges=ledger.cut_edges,
        difference=difference,
    )


def calls(with_naive: bool, cluster: Cluster | None) -> Calls:
    """Measure what a call takes on a network of one edge."""
    network = Network([0], [1], 1.0)
    given = np.ones(1)
    size, S = wave(network, given)
    return Calls(
        wave=size.seconds,
        naive=median_seconds(lambda: naive(network, given)) if with_naive else None,
        workers=spread(cluster, network, given, S).seconds if cluster else None,
    )


def inputs_for(network: Network) -> Floats:
    """Return values for the nodes that nothing feeds; the same ones every time."""
    return np.random.default_rng(0).standard_normal(len(network.inputs))


def median_seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes; the first one does not count where there are several."""
    times = [timed(work)]
    while len(times) < MOST_PASSES and sum(times) < ENOUGH_SECONDS:
        times.append(timed(work))
    return median(times[1:] or times)


def duration(number: float) -> str:
    """Write a time that may be long: ``1.5 ms``, ``2.5 h``, ``40 days``."""
    for unit, each in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if number >= each:
            return f"{number / each:.3g} {unit}"
    return seconds(number)
