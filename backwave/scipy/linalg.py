"""The differentiable part of ``scipy.linalg``."""

from ..protocol.tracing.faces.linalg_scipy import (
    block_diag,
    cho_factor,
    cho_solve,
    expm,
    solve_triangular,
    toeplitz,
)

__all__ = ["block_diag", "cho_factor", "cho_solve", "expm", "solve_triangular", "toeplitz"]
