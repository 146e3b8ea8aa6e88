"""The networks that ``backwave bench scale`` measures, and one pass of one."""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple

import numpy as np

from ....protocol.derivatives.backward import backward
from ....protocol.scalar import Network
from ....protocol.scalar.piece import Floats

DEGREE = 10
WIDTH = 1000
LAYER = WIDTH * DEGREE
"""Edges to a layer of a deep network."""


class Sweeps(NamedTuple):
    """How long the two sweeps of a pass took, in seconds."""

    forward: float
    backward: float

    @property
    def both(self) -> float:
        """The time of the two together."""
        return self.forward + self.backward


def random_network(edges: int) -> Network:
    """Make a network of so many edges, whose sources lie anywhere below: caches miss."""
    inputs = max(DEGREE, edges // 1000)
    return Network.random(edges // DEGREE + inputs, DEGREE, inputs=inputs)


def wide_network(edges: int) -> Network:
    """Make a network of ten wide layers, of about so many edges."""
    return Network.layered(edges // (10 * DEGREE), 10, DEGREE)


def deep_network(layers: int) -> Network:
    """Make a network of so many narrow layers."""
    return Network.layered(WIDTH, layers, DEGREE)


def inputs_for(network: Network) -> Floats:
    """Draw values for the nodes that nothing feeds."""
    return np.random.default_rng(0).normal(size=len(network.inputs))


def sweeps(network: Network, inputs: Floats) -> Sweeps:
    """Run one pass, and say how long its sweeps took."""
    spans = backward(network, inputs).timeline
    took = {span.name: (span.end - span.start) / 1e9 for span in spans}
    return Sweeps(took["forward"], took["backward"])


class SparseBlocks:
    """The same network run by SciPy's sparse kernels, block by block: before compiled kernels."""

    def __init__(self, network: Network, inputs: Floats) -> None:
        # Here, since they need Numba, which takes a third of a second to import.
        from ....protocol.scalar.kernels.array_blocks import ArrayBlocks
        from ....protocol.scalar.kernels.on_host import host_library

        self._blocks = ArrayBlocks(network.piece, host_library())
        self._inputs = inputs
        self.sweeps()
        here = self._blocks.S_at(network.piece.leaves)
        np.testing.assert_allclose(here, backward(network, inputs).grads, rtol=1e-9, atol=1e-12)

    def sweeps(self) -> Sweeps:
        """Run one pass, and say how long its sweeps took."""
        blocks, piece = self._blocks, self._blocks.piece
        blocks.begin()
        begin = perf_counter()
        blocks.put(piece.leaves, self._inputs)
        blocks.fire(0, len(piece.kind))
        turn = perf_counter()
        blocks.define(1.0)
        blocks.send(0, len(piece.wave))
        return Sweeps(turn - begin, perf_counter() - turn)
