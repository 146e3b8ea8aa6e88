"""Ratios of networks of scalar nodes: against sparse products, scalar autograds, and a limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np

from ....protocol.derivatives.backward import backward
from ....protocol.scalar import Network
from ....protocol.tracing.trace import trace
from ...show import count, seconds
from ..measure import Measured, of_times, timed
from .passes import SparseBlocks, inputs_for, random_network, sweeps
from .peers import autograd_scalars, scipy_products, torch_scalars

SHARE = 0.7
"""What forward and backward together should reach of the speed of three products."""

SCALAR_EDGES = 3_000
MILLION = 1_000_000

EDGES_A_SECOND = 10_000_000
"""The limit that a traced graph, made a network, is held to."""


def against_products(name: str, network: Network) -> Iterator[Measured]:
    """Yield what a pass takes against products of SciPy with the same matrix, on one core."""
    inputs = inputs_for(network)
    products, _ = scipy_products(network)
    of = f"{count(network.nodes)} nodes, {count(network.edges)} edges, one core"
    yield of_times(
        f"{name}, the wave / 2 products",
        lambda: (sweeps(network, inputs).backward, products(2)),
        goal=1.0,
        how=f"the backward wave, which makes every S and every ∂f/∂w, against two CSR products "
        f"of SciPy with the same weights, one after the other; {of}",
        pairs=15,
        warm=2,
    )
    yield of_times(
        f"{name}, both sweeps / 3 products at {SHARE}",
        lambda: (sweeps(network, inputs).both, products(3) / SHARE),
        goal=1.0,
        how=f"forward and backward against three such products, whose time is divided by {SHARE}",
        pairs=15,
        warm=2,
    )
    blocks = SparseBlocks(network, inputs)
    yield of_times(
        f"{name}, compiled / SciPy's blocks",
        lambda: (sweeps(network, inputs).both, blocks.sweeps().both),
        goal=None,
        how="forward and backward by the compiled kernels, against the same blocks run by SciPy's "
        "sparse products, one for each sweep",
        pairs=5,
        warm=1,
    )


def given_in_any_order(network: Network) -> Measured:
    """Measure the same on edges in a random order, with the time to hand the gradients back."""
    order = np.random.default_rng(0).permutation(network.edges)
    edges = network.source[order], network.target[order], network.weight[order]
    shuffled = Network(*edges, bias=network.bias, activation="tanh", output=network.output)
    inputs = inputs_for(shuffled)
    products, _ = scipy_products(shuffled)

    def ours() -> float:
        result = backward(shuffled, inputs)
        (wave,) = (span for span in result.timeline if span.name == "backward")
        return (wave.end - wave.start) / 1e9 + timed(lambda: (result.S, result.weight_gradient))

    return of_times(
        "random, shuffled and handed back",
        lambda: (ours(), products(2)),
        goal=None,
        how="the same network from edges in a random order: the backward wave, and S and every "
        "∂f/∂w put into the order of the arrays given",
        pairs=7,
        warm=1,
    )


def against_scalars(torch: Any, network: Network) -> Iterator[Measured]:
    """Yield what an edge takes against automatic differentiation on single numbers."""
    small = random_network(SCALAR_EDGES)
    peers: dict[str, Callable[[], object]] = {}
    if torch is not None:
        peers["PyTorch"] = torch_scalars(torch, small, inputs_for(small))
    peers["autograd"] = autograd_scalars(small, inputs_for(small))
    for peer, theirs in peers.items():
        for ours in (network, small):
            yield of_times(
                f"{count(ours.edges)} edges / {peer}'s scalars",
                _a_million(ours, theirs, small.edges),
                goal=1e-3 if peer == "PyTorch" and ours is network else None,
                how=f"bw.backward of a random network of {count(ours.edges)} edges, against "
                f"{peer} on single numbers of one of {count(small.edges)}, with the same "
                f"gradients: forward and backward, one thread, the time of a million edges. "
                f"Theirs is linear in the edges, or worse",
                pairs=3,
                warm=1,
            )


def _a_million(
    network: Network, theirs: Callable[[], object], edges: int
) -> Callable[[], tuple[float, float]]:
    """Return what times both, theirs on a network of so many edges, for a million edges each."""
    inputs = inputs_for(network)
    return lambda: (
        timed(lambda: backward(network, inputs)) / network.edges * MILLION,
        timed(theirs) / edges * MILLION,
    )


def traced_loop(nodes: int) -> Measured:
    """Measure a scalar graph that a plain Python loop has traced, once it is made arrays."""
    steps = nodes // 2

    def loop(x: Any, w: Any) -> Any:
        for _ in range(steps):
            x = np.tanh(x * w)
        return x

    begin = perf_counter()
    # With w = 1 neither values nor S fall below what a float64 can be.
    graph = trace(loop, 0.9, 1.0)
    traced = perf_counter()
    network = Network.from_graph(graph)
    converted = perf_counter()
    inputs = np.array([0.9, 1.0])
    return of_times(
        f"a traced loop of {count(graph.num_nodes)} nodes",
        lambda: (timed(lambda: backward(network, inputs)), graph.num_edges / EDGES_A_SECOND),
        goal=1.0,
        how=f"x = np.tanh(x * w), {count(steps)} times, {count(graph.num_edges)} edges, forward "
        f"and backward, against {count(EDGES_A_SECOND)} edges a second; traced in "
        f"{seconds(traced - begin)}, made a network in {seconds(converted - traced)}",
        pairs=9,
        warm=2,
    )
