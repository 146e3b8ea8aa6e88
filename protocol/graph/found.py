"""S at the nodes of a graph, where they live: fetched when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from typing import Any

import numpy as np

from ..arrays import Array, settle
from ..residents import Keyed
from ..wires import Wires


class WorkersSums(Mapping[int, Array]):
    """S at every node, by node id or node, fetched from its worker when it is asked for.

    Asked for all (``items()``, ``values()``), each worker is called once.
    """

    def __init__(
        self,
        graph: Wires,
        partition: Sequence[int] | np.ndarray[Any, Any],
        ask: Callable[[int, Sequence[int]], Keyed],
        known: Mapping[int, Array],
    ) -> None:
        self._graph = graph
        self._partition = partition
        self._ask = ask
        self._known = {u: settle(S) for u, S in known.items()}

    def __getitem__(self, node: Any) -> Array:
        """Return S at a node."""
        u = getattr(node, "id", node)
        if not 0 <= u < len(self._partition) or not self._graph.on_network[u]:
            raise KeyError(
                f"node {u} has no S: it is not between a differentiated leaf and the output"
            )
        self._fetch([u])
        return self._known[u]

    def _fetch(self, nodes: Iterable[int]) -> None:
        missing: dict[int, list[int]] = {}
        for u in nodes:
            if u not in self._known:
                missing.setdefault(self._partition[u], []).append(u)
        for worker, theirs in missing.items():
            self._known.update((u, settle(S)) for u, S in self._ask(worker, theirs))

    def items(self) -> ItemsView[int, Array]:
        """Return the nodes with their S, all fetched."""
        self._fetch(self)
        return super().items()

    def values(self) -> ValuesView[Array]:
        """Return S at all nodes, fetched."""
        self._fetch(self)
        return super().values()

    def __iter__(self) -> Iterator[int]:
        """Iterate over the ids of the nodes that have an S."""
        return (u for u, here in enumerate(self._graph.on_network) if here)

    def __len__(self) -> int:
        """Return V."""
        return self._graph.num_nodes


class CopiesSums(Mapping[int, Array]):
    """S at every node in several copies of a network: one entry a copy along a leading axis."""

    def __init__(self, copies: Sequence[Mapping[int, Array]]) -> None:
        self._copies = copies

    def __getitem__(self, node: Any) -> Array:
        """Return S at a node, of shape [copies, *shape]."""
        return np.stack([copy[node] for copy in self._copies])

    def __iter__(self) -> Iterator[int]:
        """Iterate over the ids of the nodes that have an S."""
        return iter(self._copies[0])

    def __len__(self) -> int:
        """Return V."""
        return len(self._copies[0])
