"""One pass of a network in this process: what every other engine must equal in every bit."""

from __future__ import annotations

from functools import partial
from time import time_ns
from typing import Any
from weakref import ref

import numpy as np

from ..backward import Span
from ..ledger import Ledger
from .blocks import Blocks
from .network import Network, input_values
from .on_host import host_blocks
from .piece import Floats
from .result import WEIGHTS, NetworkResult, S


def backward_network(network: Network, *inputs: Any, check_finite: bool = False) -> NetworkResult:
    """Run one pass of a network in this process.

    Args:
        network: the network.
        *inputs: one array: the values of the nodes that nothing feeds, in node order.
        check_finite: raise NonFiniteError at the first node where a NaN or an infinity arises.

    Raises:
        ArgumentError: the inputs do not fit the network.
        NonFiniteError: see ``check_finite``.

    """
    values = input_values(network, inputs)
    piece = network.piece
    blocks = _blocks(network)
    blocks.begin(check_finite=check_finite)
    begin = time_ns()
    blocks.put(piece.leaves, values)
    blocks.fire(0, len(piece.kind))
    turn = time_ns()
    blocks.define(1.0)
    blocks.send(0, len(piece.wave))
    end = time_ns()
    ledger = Ledger(
        nodes=network.num_nodes,
        edges=network.num_edges,
        **blocks.counts(),
        outputs=network.num_outputs,
        waves=network.num_levels,
        inputs_without_gradient=network.inputs_without_gradient,
    )
    ledger.check()
    ask = partial(_found, network, blocks)
    result = NetworkResult(
        value=float(blocks.values_at(np.array([piece.output]))[0]),
        grads=blocks.S_at(piece.leaves) + 0.0,  # 0 where no message came
        ledger=ledger,
        timeline=[
            Span(0, "forward", "compute", begin, turn),
            Span(0, "backward", "compute", turn, end),
        ],
        ask=ask,
    )
    network.scratch = blocks, ref(ask)  # which copies of the result hold, too
    return result


def _found(network: Network, blocks: Blocks, what: int) -> Floats:
    found = blocks.found(what)
    ordered = network.per_edge(found) if what == WEIGHTS else network.per_node(found)
    blocks.lent |= ordered is found and what != S
    return ordered


def _blocks(network: Network) -> Blocks:
    """Return what an earlier pass ran in if its result is gone, or something new.

    Memory that a pass is the first to touch costs it as much time as what it does there.
    """
    if network.scratch is not None:
        blocks, ask = network.scratch
        network.scratch = None
        if ask() is None and not blocks.lent:
            return blocks
    return host_blocks(network.piece)
