"""Where did the NaN come from: the first node of a pass whose value or message is not finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import NonFiniteError
from ..finite import NonFinite
from ..graph.graph import Graph
from .backward import backward


def find_nonfinite(graph: Graph, *args: Any) -> NonFinite | None:
    """Run a pass, and return the first node where a NaN or an infinity arises.

    Args:
        graph: the network; its output is one number.
        *args: values of the shapes that it was traced with.

    Returns:
        The node, the user's line, the ranges of its inputs, and whether it arose in its value, on
        the way up, or in a message that it sent, on the way back. None if all is finite.

    """
    try:
        with np.errstate(all="ignore"):  # what NumPy would warn of is what is looked for
            backward(graph, *args, check_finite=True)
    except NonFiniteError as error:
        found: NonFinite = error.args[1]
        return found
    return None
