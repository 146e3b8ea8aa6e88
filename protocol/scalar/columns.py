"""The loop of the naive algorithm, compiled: column after column."""

from __future__ import annotations

from typing import Any

from .make.order import compiled
from .piece import POSITION, PRIMITIVE, WEIGHTED


@compiled
def columns(
    nodes: Any, above: Any, blocks: Any, arrays: Any, local: Any, output: int, derivative: Any,
    S: Any,
) -> int:  # fmt: skip
    """Compute the columns of these nodes, and count the edges visited.

    Column c goes through ``blocks[above[c]:]``. ``derivative`` holds ∂u_i/∂u_j of the column
    j = ``nodes[c]`` at u_i. It is 0 at the level of u_j and below when the column begins, but at
    u_j, and all above is written before it is read.
    """
    start, kind, live = arrays.start, arrays.kind, arrays.live
    inputs, source, weight = arrays.inputs, arrays.source, arrays.weight
    work = 0
    for c in range(len(nodes)):
        j = nodes[c]
        derivative[j] = 1.0
        for b in blocks[above[c] :]:
            what, positions = kind[b], live[b]
            for u in range(start[b], start[b + 1]):
                total = 0.0
                e, end = inputs[u], inputs[u + 1]
                if what == PRIMITIVE:
                    for k in range(end - e):
                        if (positions >> k) & 1:
                            total += local[u, k] * derivative[source[e + k] & POSITION]
                            work += 1
                elif what == WEIGHTED:
                    for k in range(e, end):
                        total += weight[k] * derivative[source[k] & POSITION]
                        work += 1
                    total *= local[u, 0]
                else:
                    for k in range(e, end):
                        total += derivative[source[k] & POSITION]
                        work += 1
                    total *= local[u, 0]
                derivative[u] = total
        S[j] = derivative[output] + 0.0
        derivative[j] = 0.0
    return work
