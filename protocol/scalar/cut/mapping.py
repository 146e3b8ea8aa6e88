"""Where the user's own mapping puts each node of a network of scalar nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import PlanError
from ...outline import Ints
from ..whole import Whole


def mapped(network: Whole, mapping: Any, partitions: int) -> Ints:
    """Return the partition of each node, in firing order.

    Args:
        network: the network.
        mapping: an array with a number for each node, or a function of the node's number.
        partitions: how many there are.

    Raises:
        PlanError: a node has no partition, or one that does not exist.

    """
    if isinstance(mapping, Mapping):
        raise PlanError("give the partitions of a network as an array with a number for each node")
    if callable(mapping):
        found = np.array([mapping(u) for u in range(network.nodes)])
    else:
        found = np.asarray(mapping)
    if found.shape != (network.nodes,):
        raise PlanError(
            f"the mapping has shape {list(found.shape)}, and the network {network.nodes} nodes"
        )
    wrong = np.ones(len(found), bool)
    if found.dtype.kind in "iu":
        wrong = (found < 0) | (found >= partitions)
    if wrong.any():
        u = int(np.flatnonzero(wrong)[0])
        raise PlanError(
            f"the mapping puts node {u} into partition {found[u]!r}; "
            f"there are partitions 0 to {partitions - 1}"
        )
    found = found.astype(np.int64)
    return found if network.piece.numbers is None else found[network.piece.numbers]
