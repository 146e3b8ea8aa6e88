"""The backward wave where all nodes are in one place.

:meth:`Nodes.send` and :meth:`Nodes.receive` serve messages that come from elsewhere, perhaps early
or twice. Where nothing does, the wave is one loop: the same rules in the same order, so the same
bits, with less to do around them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .arrays import Array, settle
from .errors import BackwaveError
from .node import Instructions, Nodes, failure, fit
from .record import Recorded, recorded
from .wires import Wires

_float64 = np.float64


class Step(NamedTuple):
    """One firing: the node, its inputs, and the messages that it sends."""

    node: int
    inputs: tuple[int, ...]
    sends: list[Sending]


class Sending(NamedTuple):
    """One message: to which node, by which rule, as which of those that the node takes.

    ``plain`` says whether the node is a float64 scalar; it has else this shape and dtype.
    """

    target: int
    rule: Callable[..., Array]
    turn: int
    plain: bool
    shape: tuple[int, ...]
    dtype: Any


def wave_order(network: Wires | Instructions) -> list[int]:
    """Return the V nodes from the outputs down, each after all nodes that send to it."""
    here = network.on_network
    return [u for u in range(max(network.outputs, default=-1), -1, -1) if here[u]]


def sweep(
    nodes: Nodes,
    S: Mapping[int, Array],
    *,
    keep: bool = True,
    heard: Callable[[Recorded], None] | None = None,
) -> None:
    """Send the backward wave through nodes that are all in one place, from S at the outputs.

    A node's value is forgotten when it has sent: all nodes above it have used it by then. Without
    ``keep`` so is S, everywhere but at the leaves. ``heard`` is told of each message.
    """
    instructions = nodes.instructions
    for u, given in S.items():
        if instructions.on_network[u]:
            nodes.define(u, given)
    if nodes.check_finite or instructions.checkpoints or heard is not None:
        _post(nodes, S, keep, heard)
    else:
        _wave(nodes, S, keep)


def _post(
    nodes: Nodes, S: Mapping[int, Array], keep: bool, heard: Callable[[Recorded], None] | None
) -> None:
    """Send message by message, as between workers: each is looked at, or values are recalled."""
    for u in wave_order(nodes.instructions):
        for edge, message in nodes.send(u):
            if heard is not None:
                heard(recorded(edge, message))
            nodes.receive(edge, message)
        if u not in S:
            nodes.values.pop(u)
        if not keep and nodes.instructions.nodes[u].inputs:
            del nodes.S[u]


def _steps(instructions: Instructions) -> list[Step]:
    """Return, in wave order, each node's inputs and the messages that it sends."""
    steps: list[Step] = []
    for u in wave_order(instructions):
        out: list[Sending] = []
        for edge, rule, z in instructions.messages.get(u, ()):
            node = instructions.nodes[z]
            plain = not node.shape and node.dtype == _float64
            turn = instructions.turn[edge]
            out.append(Sending(z, rule, turn, plain, node.shape, node.dtype))
        if out:
            steps.append(Step(u, instructions.nodes[u].inputs, out))
    return steps


def _wave(nodes: Nodes, given: Mapping[int, Array], keep: bool) -> None:
    values, sums = nodes.values, nodes.S
    received: dict[int, int] = {}
    added = sent = 0
    instructions = nodes.instructions
    if instructions.wave is None:
        instructions.wave = _steps(instructions)
    for u, inputs, out in instructions.wave:
        if u in given:
            nodes.complete(u)
        S, value = sums[u], values[u]
        arguments = [values[z] for z in inputs]
        for z, rule, turn, plain, shape, dtype in out:
            try:
                message = rule(S, value, *arguments)
                if not plain or type(message) is not _float64:
                    if message.shape == shape and message.dtype == dtype:
                        message = settle(message)
                    else:
                        message = fit(message, shape, dtype)
            except BackwaveError:
                raise
            except Exception as error:
                node = instructions.nodes[u]
                raise failure(node, "sending back through", error) from error
            if turn > 1:
                total = sums[z]
                total += message
                sums[z] = total
                added += 1
            elif turn:
                sums[z] = sums[z] + message
                added += 1
            else:
                sums[z] = message
            received[z] = turn + 1
        sent += len(out)
        if u not in given:
            del values[u]
        if not keep:
            del sums[u]
    for u in given:  # those that send nothing
        nodes.complete(u)
    nodes.take_over(received, added, sent)
