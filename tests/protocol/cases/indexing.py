"""Cases of indexing and its transpose."""

import numpy as np

from backwave.protocol.rules.primitive import apply

from .base import case, real

INDICES = {
    "integer": (4, 1),
    "negative integer": (-1,),
    "slice": (slice(1, 4), slice(None, None, 2)),
    "negative step": (slice(None, None, -1), slice(3, 0, -2)),
    "empty slice": (slice(3, 1),),
    "newaxis": (None, 1, None, slice(None)),
    "ellipsis": (Ellipsis, 1),
    "ellipsis of nothing": (0, Ellipsis, 1, 2),
    "everything": (),
    "integer array": (np.array([0, 2, 2, -1]),),
    "two integer arrays": (np.array([[0], [1]]), np.array([0, 3, 3])),
    "arrays around a slice": (np.array([0, 1, 1]), slice(None), np.array([1, 1, 0])),
    "an array and an integer": (1, slice(None), np.array([1, 1, 0])),
    "an array after an ellipsis": (Ellipsis, np.array([2, 0, 2])),
    "arrays around a newaxis": (np.array([0, 1]), None, np.array([1, 1])),
    "no indices": (np.array([], dtype=int),),
    "list": ([0, 0, 1],),
}
BLOCK = real(5, 4, 3)
for index in INDICES.values():
    case("getitem", lambda np, x, index=index: x[index], BLOCK)
case("getitem", lambda np, x, i: x[i], real(5, 2), np.array([4, 4, 0]))
case(
    "getitem",
    lambda np, x, i, j: x[i, :, j],
    real(3, 2, 4),
    np.array([[0, 2]]),
    np.array([[1], [1]]),
)
case("getitem", lambda np, x, i: x[i], real(5, 2), np.int64(3))
case(
    "getitem", lambda np, x: np.take(x, np.array([[1, 1], [0, 2]]), axis=1), real(2, 3), peer=False
)
case("getitem", lambda np, x: np.take(x, np.array([1, 5])), real(2, 3), peer=False)
case(
    "getitem",
    lambda np, x, m: x[m],
    real(2, 3),
    np.array([[1, 0, 1], [0, 0, 1]], bool),
    abstract=False,
)
case("getitem", lambda np, x, m: x[m], real(2, 3), np.array([True, False]), abstract=False)
case("getitem", lambda np, x, m: x[:, m], real(2, 3), np.array([0, 1, 1], bool), abstract=False)
case("getitem", lambda np, x: x[x > 0], real(2, 3), abstract=False)
case(
    "getitem",
    lambda np, x: x[np.array([0, 1, 1], bool), np.array([1, 1])],
    real(3, 2),
    abstract=False,
)
for template, indices, shape, x in [
    ((("slice", None, None, 2),), (), (6, 2), real(3, 2)),
    ((("slice", 4, 1, -1), 0), (), (5, 2), real(3)),
    ((("array", 0),), (np.array([0, 2, 2, 1]),), (3,), real(4)),
    (
        (("array", 0), ("newaxis",), ("array", 1)),
        (np.array([0, 2]), np.array([1, 1])),
        (3, 2),
        real(2, 1),
    ),
    ((("ellipsis",), 1), (), (2, 3), real(2)),
    ((), (), (), real()),
]:
    case(
        "scatter",
        lambda np, x, *i, index=template, shape=shape: apply(
            "scatter", x, *i, index=index, shape=shape
        ),
        x,
        *indices,
    )
