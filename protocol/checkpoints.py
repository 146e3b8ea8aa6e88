"""Which values a pass forgets, and computes again when the wave comes back to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .wires import Wires


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A group of nodes in one partition, and those among them whose values can be forgotten."""

    group: tuple[int, ...]
    inner: tuple[int, ...]


def checkpoints(wires: Wires, here: frozenset[int], keep: Iterable[int]) -> dict[int, Checkpoint]:
    """Return, by node, the checkpoint that it is in.

    A value that a node outside its group uses, that goes elsewhere (``keep``) or that is an output
    cannot be forgotten.
    """
    if not wires.recomputed:
        return {}
    group_of = wires.group_of
    kept = {*keep, *wires.outputs}
    for u in here:
        for z in wires.nodes[u].inputs:
            if group_of.get(z) != group_of.get(u):
                kept.add(z)
    mine: dict[int, list[int]] = {}
    for u in sorted(here):
        if u in group_of and wires.nodes[u].inputs:
            mine.setdefault(group_of[u], []).append(u)
    found: dict[int, Checkpoint] = {}
    for group in mine.values():
        inner = tuple(u for u in group if u not in kept)
        if inner:
            found.update(dict.fromkeys(group, Checkpoint(tuple(group), inner)))
    return found
