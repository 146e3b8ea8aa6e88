"""Which values a pass forgets, and computes again when the wave comes back to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .graph import Graph


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A group of nodes in one place, and those among them whose values can be forgotten."""

    group: tuple[int, ...]
    inner: tuple[int, ...]


def checkpoints(graph: Graph, here: frozenset[int], keep: Iterable[int]) -> dict[int, Checkpoint]:
    """Return, by node, the checkpoint that it is in.

    A value that a node outside its group uses, that goes elsewhere (``keep``) or that is an output
    cannot be forgotten.
    """
    if not graph.recomputed:
        return {}
    group_of = graph.group_of
    kept = {*keep, *graph.outputs}
    for u in here:
        for z in graph.nodes[u].inputs:
            if group_of.get(z) != group_of.get(u):
                kept.add(z)
    mine: dict[int, list[int]] = {}
    for u in sorted(here):
        if u in group_of and graph.nodes[u].inputs:
            mine.setdefault(group_of[u], []).append(u)
    found: dict[int, Checkpoint] = {}
    for group in mine.values():
        inner = tuple(u for u in group if u not in kept)
        if inner:
            found.update(dict.fromkeys(group, Checkpoint(tuple(group), inner)))
    return found
