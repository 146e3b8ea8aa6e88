"""Cases of the primitives that move numbers."""

import numpy as np
from hypothesis import strategies as st

from .base import arrays, broadcasting, case, complexes, drawn, real, shapes

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

case("transpose", lambda np, x: np.reshape(x, (3, 2), order="F"), real(2, 3))
case("transpose", lambda np, x: x.ravel(order="F"), real(2, 3), peer=False)
case("transpose", lambda np, x: np.rollaxis(x, 2), real(2, 3, 4))
case("transpose", lambda np, x: np.rollaxis(x, 0, -1), real(2, 3, 4), peer=False)
case("transpose", lambda np, x: np.rollaxis(x, 0, 3), real(2, 3, 4), peer=False)
case("transpose", lambda np, x: np.permute_dims(x, (1, 2, 0)), real(2, 3, 4), peer=False)
case("transpose", lambda np, x: np.matrix_transpose(x), real(2, 3, 4), peer=False)
for shape in ((), (3,), (2, 3), (1, 2, 3)):
    for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
        case("multiply", lambda np, x, n=name: getattr(np, n)(x) * 1.5, real(*shape))
case("reshape", lambda np, a, b: np.multiply(*np.atleast_2d(a, b)), real(3), real(), peer=False)
case(
    "broadcast_to",
    lambda np, a, b: np.multiply(*np.broadcast_arrays(a, b)),
    real(3),
    real(2, 1),
    peer=False,
)
for options in ({}, {"indexing": "ij"}, {"sparse": True}):
    case(
        "reshape",
        lambda np, a, b, o=options: np.multiply(*np.meshgrid(a, b, **o)),
        real(3),
        real(2),
        peer=False,
    )
case("concatenate", lambda np, a, b: np.dstack([a, b]), real(2, 3), real(2, 3))
case("concatenate", lambda np, a, b: np.dstack([a, b]), real(3), real(3), peer=False)
case("stack", lambda np, a, b: np.column_stack([a, b]), real(3), real(3), peer=False)
case("concatenate", lambda np, a, b: np.column_stack([a, b]), real(3), real(3, 2))
case("concatenate", lambda np, a, b: np.append(a, b), real(3), real(2, 2), peer=False)
case("concatenate", lambda np, a, b: np.append(a, b, axis=0), real(3, 2), real(2, 2))
case(
    "concatenate",
    lambda np, a, b: np.block([[a, np.zeros((2, 1))], [b, 2.0]]),
    real(2, 3),
    real(3),
    peer=False,
)
case("concatenate", lambda np, a, b: np.block([a, b]), real(3), real(), peer=False)
case("concatenate", lambda np, a, b: np.insert(a, 1, b), real(3), real(), peer=False)
case("concatenate", lambda np, a, b: np.insert(a, 1, b, axis=1), real(2, 3), real(2), peer=False)
case(
    "concatenate",
    lambda np, a, b: np.insert(a, [0, 2, 2], b, axis=1),
    real(2, 3),
    real(2, 3),
    peer=False,
)
case(
    "concatenate", lambda np, a, b: np.insert(a, [1], b, axis=0), real(2, 3), real(2, 3), peer=False
)
case("concatenate", lambda np, a: np.insert(a, slice(0, 2), 1.5), real(3), peer=False)
for place in (1, -1, [0, 2], slice(0, 3, 2)):
    case("getitem", lambda np, a, i=place: np.delete(a, i, axis=1), real(2, 3), peer=False)
case("getitem", lambda np, a: np.delete(a, 4), real(2, 3), peer=False)
for condition in ([True, False, True], [0, 1]):
    case(
        "getitem",
        lambda np, a, c=condition: np.compress(c, a, axis=1),
        real(2, 3),
        peer=False,
    )
case("getitem", lambda np, a: np.extract(a > 0, a), real(2, 3), peer=False, abstract=False)
case("where", lambda np, a: np.select([a > 1, a > 0], [a, a * a], 0.5), real(4), peer=False)
for mode in ("wrap", "clip"):
    case(
        "getitem",
        lambda np, a, m=mode: np.take(a, [-4, 5, 1], axis=1, mode=m),
        real(2, 3),
        peer=False,
    )
case("getitem", lambda np, a: a[np.ix_([0, 1], [2, 0])], real(2, 3), peer=False)
case("getitem", lambda np, a: a[np.triu_indices_from(a, 1)], real(3, 3), peer=False)


@st.composite
def _reshapes(draw):
    x = draw(arrays(real, draw(shapes(min_side=1))))
    size = x.size if np.ndim(x) else 1
    divisors = [n for n in range(1, size + 1) if size % n == 0]
    first = draw(st.sampled_from(divisors))
    to = draw(
        st.sampled_from([(first, size // first), (size // first, 1, first), (-1,), (first, -1)])
    )
    return (lambda np, x: np.reshape(x, to)), (x,)


@st.composite
def _transposes(draw):
    x = draw(arrays(real))
    order = tuple(draw(st.permutations(range(np.ndim(x)))))
    return (lambda np, x: np.transpose(x, order)), (x,)


@st.composite
def _broadcasts(draw):
    shape, to = draw(broadcasting())
    to = np.broadcast_shapes(shape, to)
    return (lambda np, x: np.broadcast_to(x, to)), (draw(arrays(real, shape)),)


@st.composite
def _joined(draw, name):
    shape = draw(shapes(min_dims=1))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    parts = []
    for length in lengths:
        each = list(shape)
        if name == "concatenate":
            each[axis] = length
        parts.append(draw(arrays(draw(st.sampled_from([real, complexes])), tuple(each))))
    return (lambda np, *parts: getattr(np, name)(parts, axis=axis)), parts


drawn("reshape")(_reshapes())
drawn("transpose")(_transposes())
drawn("broadcast_to")(_broadcasts())
for _name in ("concatenate", "stack"):
    drawn(_name)(_joined(_name))
