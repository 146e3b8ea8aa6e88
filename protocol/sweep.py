"""The backward wave where all nodes are in one place.

:meth:`Nodes.send` and :meth:`Nodes.receive` serve messages that come from elsewhere, perhaps early
or twice. Where nothing does, the wave is one loop: the same rules in the same order, so the same
bits, with less to do around them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .arrays import Array, settle
from .errors import BackwaveError
from .graph import Graph
from .node import Nodes, Rules, failure, fit

Sent = tuple[int, Callable[..., Array], int, bool, tuple[int, ...], Any]
"""One message: to which node, its rule, its turn there, whether that is a float64 scalar, and
otherwise the node's shape and dtype."""

Step = tuple[int, tuple[int, ...], list[Sent]]
"""One firing: the node, its inputs, and what it sends."""

_float64 = np.float64


def wave_order(graph: Graph) -> list[int]:
    """Return the V nodes from the outputs down, each after all nodes that send to it."""
    here = graph.on_network
    return [u for u in range(max(graph.outputs, default=-1), -1, -1) if here[u]]


def sweep(nodes: Nodes, S: Mapping[int, Array], *, keep: bool = True) -> None:
    """Send the backward wave through nodes that are all in one place, from S at the outputs.

    A node's value is forgotten when it has sent: all nodes above it have used it by then. Without
    ``keep`` so is S, everywhere but at the leaves.
    """
    graph = nodes.rules.graph
    for u, given in S.items():
        if graph.on_network[u]:
            nodes.begin(u, given)
    if nodes.check_finite or nodes.rules.checkpoints:
        _post(nodes, S, keep)
    else:
        _wave(nodes, S, keep)


def _post(nodes: Nodes, S: Mapping[int, Array], keep: bool) -> None:
    """Send message by message, as between workers: each is looked at, or values are recalled."""
    graph = nodes.rules.graph
    for u in wave_order(graph):
        for edge, message in nodes.send(u):
            nodes.receive(edge, message)
        if u not in S:
            nodes.values.pop(u)
        if not keep and graph.nodes[u].inputs:
            del nodes.S[u]


def _steps(rules: Rules) -> list[Step]:
    """Return, in wave order, each node's inputs and the messages that it sends."""
    graph = rules.graph
    steps: list[Step] = []
    for u in wave_order(graph):
        out: list[Sent] = []
        for edge, rule, z in rules.messages.get(u, ()):
            node = graph.nodes[z]
            plain = not node.shape and node.dtype == _float64
            out.append((z, rule, rules.turn[edge], plain, node.shape, node.dtype))
        if out:
            steps.append((u, graph.nodes[u].inputs, out))
    return steps


def _wave(nodes: Nodes, given: Mapping[int, Array], keep: bool) -> None:
    values, sums = nodes.values, nodes.S
    received: dict[int, int] = {}
    added = sent = 0
    rules = nodes.rules
    if rules.wave is None:
        rules.wave = _steps(rules)
    for u, inputs, out in rules.wave:
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
                node = rules.graph.nodes[u]
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
                sums[z] = sums[z] + message if z in sums else message
            received[z] = turn + 1
        sent += len(out)
        if u not in given:
            del values[u]
        if not keep:
            del sums[u]
    nodes.take_over(received, added, sent)
