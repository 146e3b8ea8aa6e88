"""Putting a network given by arrays in order: by target, by level, into blocks. Compiled loops.

Edges are sorted by counting and levels found in one pass, so that all of it is O(V + E).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ...outline import Ints
from ..given import ByTarget
from ..piece import FIRST, LEAF, POSITION, PRIMITIVE, Floats

compiled = njit(cache=True, nogil=True)


def by_target(target: Ints, nodes: int) -> ByTarget:
    """Sort edges by target, stably."""
    inputs = np.zeros(nodes + 1, np.int64)
    ascending = _count(target, inputs)
    np.cumsum(inputs, out=inputs)
    if ascending:
        return ByTarget(inputs, None)
    # Four bytes an edge where they are enough.
    edges = np.empty(len(target), np.int32 if len(target) < 2**31 else np.int64)
    _sort(target, inputs[:-1].copy(), edges)
    return ByTarget(inputs, edges)


@compiled
def _count(target: Any, inputs: Any) -> bool:
    """Count the edges of each target, one up; return whether targets only ascend."""
    ascending = True
    last = target[0] if len(target) else 0
    for t in target:
        inputs[t + 1] += 1
        ascending &= t >= last
        last = t
    return ascending


@compiled
def _sort(target: Any, next_one: Any, edges: Any) -> None:
    for e in range(len(target)):
        t = target[e]
        edges[next_one[t]] = e
        next_one[t] += 1


def levels(source: Ints, sorted_edges: ByTarget) -> tuple[Ints, Ints]:
    """Return the level of each node, and a cycle: its nodes, empty if there is none."""
    inputs, edges = sorted_edges
    level = np.zeros(len(inputs) - 1, np.int32)
    order = _or_nothing(edges)
    if _levels_ascending(source, inputs, order, level):
        return level, np.empty(0, np.int64)
    level[:] = -1
    return level, _levels_by_search(source, inputs, order, level)


@compiled
def _levels_ascending(source: Any, inputs: Any, edges: Any, level: Any) -> bool:
    """Find levels where every node stands after its inputs; return whether all do."""
    sorted_already = len(edges) == 0
    for u in range(len(level)):
        highest = -1
        for p in range(inputs[u], inputs[u + 1]):
            z = source[p] if sorted_already else source[edges[p]]
            if z >= u:
                return False
            if level[z] > highest:
                highest = level[z]
        level[u] = highest + 1
    return True


@compiled
def _levels_by_search(source: Any, inputs: Any, edges: Any, level: Any) -> Any:
    """Find levels by depth-first search down the inputs; return a cycle, empty if there is none.

    ``level`` is -1 where nobody was yet, and -2 at the nodes on the path.
    """
    n = len(level)
    sorted_already = len(edges) == 0
    path = np.empty(n, np.int64)
    cursor = inputs[:-1].copy()
    for root in range(n):
        if level[root] != -1:
            continue
        depth = 0
        path[0] = root
        level[root] = -2
        while depth >= 0:
            u = path[depth]
            p = cursor[u]
            if p == inputs[u + 1]:
                highest = -1
                for q in range(inputs[u], inputs[u + 1]):
                    z = source[q] if sorted_already else source[edges[q]]
                    if level[z] > highest:
                        highest = level[z]
                level[u] = highest + 1
                depth -= 1
                continue
            cursor[u] = p + 1
            z = source[p] if sorted_already else source[edges[p]]
            if level[z] == -1:
                level[z] = -2
                depth += 1
                path[depth] = z
            elif level[z] == -2:
                first = depth
                while path[first] != z:
                    first -= 1
                return path[first : depth + 1][::-1].copy()
    return np.empty(0, np.int64)


def in_order(key: Ints) -> Ints | None:
    """Return the stable order of ascending keys; None where they ascend already."""
    if len(key) < 2 or not bool(np.any(key[1:] < key[:-1])):
        return None
    return np.argsort(key, kind="stable")


class Edges(NamedTuple):
    """Edges by target, with their weights and their numbers; none of these where it is empty.

    Attributes:
        inputs: where the edges of each node begin, and their end.
        source, weight: of each edge.
        edges: the number of each; empty where they stand as they are numbered.

    """

    inputs: Ints
    source: Ints
    weight: Floats
    edges: Ints


@compiled
def lay(order: Any, at: Any, given: Any, out: Any) -> None:
    """Lay edges in firing order: by target as ``order`` has the nodes; node u is then ``at[u]``."""
    sorted_already = len(given.edges) == 0
    numbered = len(order) > 0
    k = 0
    for n in range(len(given.inputs) - 1):
        u = order[n] if numbered else n
        for p in range(given.inputs[u], given.inputs[u + 1]):
            e = np.int64(p) if sorted_already else np.int64(given.edges[p])
            z = given.source[e]
            out.source[k] = at[z] if numbered else z
            if len(out.weight):
                out.weight[k] = given.weight[e]
            if len(out.edges):
                out.edges[k] = e
            k += 1
        out.inputs[n + 1] = k


def reach(output: int, level: Ints, source: Ints, sorted_edges: ByTarget, reached: Ints) -> int:
    """Mark the nodes from which a path leads to the output; return how many edges lie on those."""
    inputs, edges = sorted_edges
    ascending = bool(np.all(level[1:] >= level[:-1]))
    order = np.empty(0, np.int64) if ascending else np.argsort(level, kind="stable")
    return int(_reach(output, order, source, inputs, _or_nothing(edges), reached))


def _or_nothing(edges: Ints | None) -> Ints:
    return np.empty(0, np.int32) if edges is None else edges


@compiled
def _reach(output: int, order: Any, source: Any, inputs: Any, edges: Any, reached: Any) -> int:
    reached[output] = 1
    count = 0
    n = len(inputs) - 1
    sorted_already = len(edges) == 0
    for back in range(n):
        u = order[n - 1 - back] if len(order) else n - 1 - back
        if reached[u]:
            for p in range(inputs[u], inputs[u + 1]):
                z = source[p] if sorted_already else source[edges[p]]
                reached[z] = 1
                count += 1
    return count


@compiled
def wave_nodes(arrays: Any) -> Any:
    """Return the nodes that send, and the block of each, in the order of the wave.

    It goes through the blocks of ``wave`` in order, and downwards through the nodes of each.
    """
    start = arrays.start
    nodes, blocks = np.empty(start[-1], np.int64), np.empty(start[-1], np.int32)
    count = 0
    for b in arrays.wave:
        if arrays.kind[b] != LEAF:
            for back in range(start[b + 1] - start[b]):
                nodes[count], blocks[count] = start[b + 1] - 1 - back, b
                count += 1
    return nodes[:count], blocks[:count]


@compiled
def sends(kind: Any, live: Any, position: int) -> bool:
    """Whether a node that fires backwards sends a message to its input at this position."""
    return kind != PRIMITIVE or (live >> position) & 1 == 1


@compiled
def mark_first(arrays: Any) -> Any:
    """Set FIRST on the edges whose message is the first of its node here.

    The wave goes downwards through the edges of a node, too. Slots and ghosts, behind the nodes,
    take one message each.

    Returns:
        For each node 1 if a message comes to it directly; uint8.

    """
    inputs, source = arrays.inputs, arrays.source
    n = len(inputs) - 1
    seen = np.zeros(n, np.uint8)
    nodes, blocks = wave_nodes(arrays)
    for k in range(len(nodes)):
        u, b = nodes[k], blocks[k]
        for p in range(inputs[u + 1] - 1, inputs[u] - 1, -1):
            z = source[p] & POSITION
            if z < n and not seen[z] and sends(arrays.kind[b], arrays.live[b], p - inputs[u]):
                seen[z] = 1
                source[p] |= FIRST
    return seen
