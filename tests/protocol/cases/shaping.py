"""Cases of the primitives that move numbers."""

from .base import case, real

case("reshape", lambda np, x: np.reshape(x, (3, -1)), real(2, 3))
case("reshape", lambda np, x: x.reshape(6), real(2, 3))
case("reshape", lambda np, x: np.reshape(x, ()), real(1, 1))
case("reshape", lambda np, x: np.ravel(x), real())
case("reshape", lambda np, x: np.expand_dims(x, (0, -1)), real(2, 3))
case("reshape", lambda np, x: np.squeeze(x, axis=1), real(2, 1, 3))
case("reshape", lambda np, x: np.squeeze(x), real(1, 3, 1))
case("reshape", lambda np, x: np.ravel(x), real(0, 3))
case("reshape", lambda np, x: np.reshape(x.T, (6,)), real(2, 3))
case("transpose", lambda np, x: x.T, real(2, 3, 4))
case("transpose", lambda np, x: np.transpose(x, (1, -1, 0)), real(2, 3, 4), peer=False)
case("transpose", lambda np, x: x.transpose(1, 0), real(2, 3), peer=False)
case("transpose", lambda np, x: np.swapaxes(x, 0, -1), real(2, 3, 4))
case("transpose", lambda np, x: np.moveaxis(x, 0, -1), real(2, 3, 4))
case("transpose", lambda np, x: np.transpose(x), real())
case("broadcast_to", lambda np, x: np.broadcast_to(x, (2, 3)), real(3))
case("broadcast_to", lambda np, x: np.broadcast_to(x, (4, 2, 3)), real(2, 1))
case("broadcast_to", lambda np, x: np.broadcast_to(x, (2,)), real())
case("broadcast_to", lambda np, x: np.broadcast_to(x, (1, 1)), real(1))
case("broadcast_to", lambda np, x: np.broadcast_to(x, (0, 3)), real(3))
case("concatenate", lambda np, a, b: np.concatenate([a, b]), real(2, 3), real(1, 3))
case("concatenate", lambda np, a, b: np.concatenate([a, b, a], axis=-1), real(2, 3), real(2, 1))
case(
    "concatenate",
    lambda np, a, b: np.concatenate([a, b], axis=None),
    real(2, 3),
    real(2, 1),
    peer=False,
)
case("concatenate", lambda np, a, b: np.concatenate([a, b]), real(0, 3), real(2, 3))
case("concatenate", lambda np, a, b: np.hstack([a, b]), real(2), real())
case("concatenate", lambda np, a, b: np.vstack([a, b]), real(3), real(2, 3))
case("concatenate", lambda np, a: np.concatenate(a), real(2, 3))
case("stack", lambda np, a, b: np.stack([a, b]), real(2, 3), real(2, 3))
case("stack", lambda np, a, b: np.stack([a, b, a], axis=1), real(2, 3), real(2, 3))
case("stack", lambda np, a, b: np.stack([a, b], axis=-1), real(), real())
case("stack", lambda np, a: np.stack([a, 2.0, a * a]), real())
