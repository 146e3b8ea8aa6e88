"""Cases of matrix products."""

from .base import case, complexes, real

MATRICES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((1, 3), (3, 1)),
    ((4, 2, 3), (3,)),
    ((3,), (4, 3, 2)),
    ((4, 2, 3), (3, 2)),
    ((2, 3), (4, 3, 2)),
    ((4, 2, 3), (4, 3, 2)),
    ((1, 2, 3), (4, 3, 2)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((2, 0), (0, 3)),
]
for a, b in MATRICES:
    case("matmul", lambda np, w, z: np.matmul(w, z), real(*a), real(*b))
case("matmul", lambda np, w, z: w @ z, complexes(2, 3), complexes(3, 2))
case("matmul", lambda np, w, z: np.dot(w, z), real(2, 3), real(3))
case("matmul", lambda np, w, z: np.dot(w, z), real(2, 3), real(4, 3, 2))
case("matmul", lambda np, w, z: np.inner(w, z), real(2, 3), real(4, 3))
case("matmul", lambda np, w, z: np.tensordot(w, z, axes=2), real(2, 3, 4), real(3, 4, 5))
case(
    "matmul", lambda np, w, z: np.tensordot(w, z, axes=([0, 2], [1, 0])), real(2, 3, 4), real(4, 2)
)
case("matmul", lambda np, w: w @ w.T, real(2, 3))
