"""The two sweeps over scalar nodes, compiled: one pass over the edges does all that there is.

On the way down, the message on an edge, its weight's gradient and the sum at its source are made
together, where S and the value of a node share a cache line. The wave goes over nodes and edges in
just the reverse of the order in which the forward sweep did, which is thereby the order in which a
node sums its messages; memory is read in one direction, which its prefetching likes (twice the
speed at fifty edges a node).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ..piece import FIRST, LEAF, POSITION, PRIMITIVE, SUM, WEIGHTED, Floats
from .prefetch import AHEAD as _EDGES_AHEAD
from .prefetch import to_read, to_write
from .scalar_rules import message_of, value_of

AHEAD: Any = np.uint64(_EDGES_AHEAD)
_FIRST_BIT = np.uint32(31)
assert np.uint32(1) << _FIRST_BIT == FIRST


class State(NamedTuple):
    """The arrays of a pass: see :class:`FusedBlocks`."""

    values: Floats
    pairs: Floats
    before: Floats
    delta: Floats
    gradient: Floats


class Kernels(NamedTuple):
    """Compiled for one set of operations.

    ``fire(low, high, arrays, state)`` computes the blocks ``low`` to ``high`` of a piece;
    ``send`` fires those of its wave, and returns how many messages were received directly, how many
    from slots, how many of all these were the first of their node, and how many were computed.
    """

    fire: Callable[..., None]
    send: Callable[..., tuple[int, int, int, int]]


@lru_cache(maxsize=64)
def kernels(names: tuple[str, ...]) -> Kernels:
    """Return the kernels for these operations, compiled when they are called first."""
    value = value_of(names)
    message_0, message_1, message_2 = (message_of(names, position) for position in range(3))

    @njit(nogil=True, error_model="numpy")
    def fire(low: int, high: int, arrays: Any, state: Any) -> None:
        start, kind, op, inputs = arrays.start, arrays.kind, arrays.op, arrays.inputs
        source, weight, bias = arrays.source, arrays.weight, arrays.bias
        slots, values, pairs, before = arrays.slots, state.values, state.pairs, state.before
        last = np.uint64(max(len(source), 1) - 1)
        for b in range(low, high):
            what = kind[b]
            if what == LEAF:
                continue
            number = op[b]
            for u in range(start[b], start[b + 1]):
                e, end = np.uint64(inputs[u]), np.uint64(inputs[u + 1])
                if what == PRIMITIVE:
                    x = values[source[e] & POSITION]
                    y = values[source[e + np.uint64(1)] & POSITION] if end - e > 1 else 0.0
                    z = values[source[e + np.uint64(2)] & POSITION] if end - e > 2 else 0.0
                    result = value(number, x, y, z)
                else:
                    total = 0.0
                    if what == WEIGHTED:
                        for k in range(e, end):
                            to_read(values, np.int64(source[min(k + AHEAD, last)] & POSITION))
                            total += weight[k] * values[source[k] & POSITION]
                    else:
                        for k in range(e, end):
                            total += values[source[k] & POSITION]
                    total += bias[u]
                    before[u] = total
                    result = value(number, total, 0.0, 0.0)
                values[u] = result
                pairs[u, 0] = result
                # What -0.0 is added to stays as it is, even -0.0: the first sum is the message.
                pairs[u, 1] = -0.0
                for k in range(slots[u], slots[u + 1]):
                    values[k] = result
                    pairs[k, 0] = result
                    pairs[k, 1] = -0.0

    @njit(nogil=True, error_model="numpy")
    def send(low: int, high: int, arrays: Any, state: Any) -> tuple[int, int, int, int]:
        start, kind, op, live = arrays.start, arrays.kind, arrays.op, arrays.live
        inputs, source, weight = arrays.inputs, arrays.source, arrays.weight
        slots, opens, pairs = arrays.slots, arrays.opens, state.pairs
        before, delta, gradient = state.before, state.delta, state.gradient
        direct, slotted, first, sent = 0, 0, 0, 0
        here = np.uint32(len(slots) - 1)  # what stands behind is a slot or a ghost
        for b in arrays.wave[low:high]:
            what, number, positions = kind[b], op[b], live[b]
            for back in range(start[b + 1] - start[b]):
                u = start[b + 1] - 1 - back
                if slots[u + 1] > slots[u]:
                    for k in range(slots[u], slots[u + 1]):
                        pairs[u, 1] += pairs[k, 1]
                        slotted += 1
                    first += opens[u]
                if not positions or what == LEAF:
                    continue
                value_u, S = pairs[u, 0], pairs[u, 1]
                e, end = np.uint64(inputs[u]), np.uint64(inputs[u + 1])
                if what == PRIMITIVE:
                    i = source[e]
                    j = source[e + np.uint64(1)] if end - e > 1 else i
                    h = source[e + np.uint64(2)] if end - e > 2 else i
                    x, y, z = (
                        pairs[i & POSITION, 0], pairs[j & POSITION, 0], pairs[h & POSITION, 0]
                    )  # fmt: skip
                    if positions & 4:
                        pairs[h & POSITION, 1] += message_2(number, S, value_u, x, y, z)
                        direct += (h & POSITION) < here
                        first += h >> _FIRST_BIT
                        sent += 1
                    if positions & 2:
                        pairs[j & POSITION, 1] += message_1(number, S, value_u, x, y, z)
                        direct += (j & POSITION) < here
                        first += j >> _FIRST_BIT
                        sent += 1
                    if positions & 1:
                        pairs[i & POSITION, 1] += message_0(number, S, value_u, x, y, z)
                        direct += (i & POSITION) < here
                        first += i >> _FIRST_BIT
                        sent += 1
                    continue
                d = message_0(number, S, value_u, before[u], 0.0, 0.0)
                delta[u] = d
                if what == WEIGHTED:
                    for back_edge in range(end - e):
                        edge = end - np.uint64(1) - back_edge
                        to_write(pairs, 2 * np.int64(source[edge - min(edge, AHEAD)] & POSITION))
                        z_and_first = source[edge]
                        at = z_and_first & POSITION
                        gradient[edge] = d * pairs[at, 0]
                        pairs[at, 1] += d * weight[edge]
                        direct += at < here
                        first += z_and_first >> _FIRST_BIT
                        sent += 1
                elif what == SUM:
                    for back_edge in range(end - e):
                        edge = end - np.uint64(1) - back_edge
                        pairs[source[edge] & POSITION, 1] += d
                        direct += (source[edge] & POSITION) < here
                        first += source[edge] >> _FIRST_BIT
                        sent += 1
        return direct, slotted, first, sent

    return Kernels(fire, send)


@njit(cache=True, nogil=True)
def put_nodes(nodes: Any, given: Any, slots: Any, values: Any, pairs: Any) -> None:
    """Give nodes their values, and with them their slots."""
    for k in range(len(nodes)):
        u, value = nodes[k], given[k]
        values[u] = value
        pairs[u, 0] = value
        pairs[u, 1] = -0.0
        for slot in range(slots[u], slots[u + 1]):
            values[slot] = value
            pairs[slot, 0] = value
            pairs[slot, 1] = -0.0


@njit(cache=True, nogil=True)
def put_ghosts(entries: Any, given: Any, pick: Any, values: Any, pairs: Any) -> None:
    """Give ghosts the values of nodes that live elsewhere: ``given[pick[k]]`` to ``entries[k]``."""
    for k in range(len(entries)):
        entry, value = entries[k], given[pick[k]]
        values[entry] = value
        pairs[entry, 0] = value
        pairs[entry, 1] = -0.0


@njit(cache=True, nogil=True)
def put_slots(entries: Any, messages: Any, pairs: Any) -> None:
    """Put messages from elsewhere into their slots."""
    for k in range(len(entries)):
        pairs[entries[k], 1] = messages[k]
