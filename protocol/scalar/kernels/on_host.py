"""Which kernels run a piece in host memory."""

from __future__ import annotations

import numpy as np

from ..blocks import Blocks
from ..piece import Piece
from .array_blocks import ArrayBlocks, Library
from .fused_blocks import FusedBlocks
from .scalar_rules import compiles


def host_blocks(piece: Piece) -> Blocks:
    """Hold a piece in host memory: for compiled kernels, if all its operations compile."""
    if all(map(compiles, piece.names)):
        return FusedBlocks(piece)
    return ArrayBlocks(piece, host_library())


def host_library() -> Library:
    """Return NumPy, with SciPy's sparse matrices."""
    from scipy import sparse

    return Library(np, sparse, np.asarray)
