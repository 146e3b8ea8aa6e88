"""Cases of indexing and its transpose."""

import numpy as np
from hypothesis import strategies as st

import backwave.protocol.tracing.faces.building as building
from backwave.protocol.rules.primitive import apply

from .base import (
    FLAT,
    Case,
    arrays,
    case,
    complexes,
    distinct,
    drawn,
    flat,
    integers,
    real,
    shapes,
    truths,
)

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
)
MASK = np.array([[1, 0, 1], [0, 0, 1]], bool)
case("getitem", lambda np, x: x[MASK], real(2, 3, 2))
case("getitem", lambda np, x: x[..., np.array([1, 0, 1], bool), 0], real(2, 3, 2))
case("getitem", lambda np, x: x[np.array([1, 0], bool), :, np.array([1, 0])], real(2, 3, 2))
case("getitem", lambda np, x: x[True], real(2, 3))
case("getitem", lambda np, x: x[False, 1], real(2, 3))
case("getitem", lambda np, x: x[np.zeros(3, bool)], real(3))
case("getitem", lambda np, x: x[MASK], complexes(2, 3))
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
    ((("mask", 0, 3), 0), (MASK,), (2, 3, 2), real(3)),
    ((("array", 0), ("slice", None, None, None)), (np.array([2, -1, 2]),), (3, 2), real(3, 2)),
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


# Along one axis.

for axis in (0, 1, -1):
    places = np.array([[0, 1, -1], [1, 1, 0]])
    case(
        "take_along_axis",
        lambda np, x, i, axis=axis: np.take_along_axis(x, i, axis),
        real(2, 3),
        places,
        peer=False,
    )
for x, i in [
    (real(1, 3), np.array([[2, 0], [1, 1], [0, 0]])),  # each broadcasts the other
    (real(4, 3), np.array([[2, 2, 0]])),
    (real(2, 0), np.zeros((2, 0), int)),
    (complexes(2, 3), np.array([[2, 2], [0, 1]])),
]:
    case("take_along_axis", lambda np, x, i: np.take_along_axis(x, i, 1), x, i, peer=False)
case(
    "take_along_axis",
    lambda np, x: np.take_along_axis(x, np.array([3, 3, 0]), None),
    real(2, 3),
    peer=False,
)
case(
    "take_along_axis",
    lambda np, a, b, i: np.choose(i, [a, b, 1.0]),
    real(2, 3),
    real(3),
    np.array([[0, 1, 2], [1, 1, 0]]),
    peer=False,
)
for axis, length, given in [(0, 3, False), (1, 4, False), (1, 3, True)]:
    places = np.array([[2, 0, 1], [1, 2, 0]])
    case(
        "add_along_axis",
        lambda np, x, i, axis=axis, length=length, given=given: apply(
            "add_along_axis", x, i, axis=axis, length=length, distinct=given
        ),
        real(2, 3),
        places,
        peer=False,
    )


@st.composite
def takings(draw):
    """Draw an array, an axis, and indices of which some repeat, and others broadcast."""
    shape = draw(shapes(min_dims=1, min_side=1))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    lengths = [draw(st.sampled_from([n, 1])) for n in shape]
    lengths[axis] = draw(st.integers(0, 4))
    length = shape[axis]
    random = np.random.default_rng(draw(st.integers(0, 99)))
    places = random.integers(-length, length, lengths)
    x = draw(arrays(draw(st.sampled_from([real, complexes])), shape))
    return lambda np, x, i: np.take_along_axis(x, i, axis), (x, places), {"peer": False}


@st.composite
def puttings(draw):
    """Draw an array to add along an axis, where the indices may repeat."""
    shape = draw(shapes(min_dims=1))
    axis = draw(st.integers(0, len(shape) - 1))
    length = draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    places = random.integers(-length, length, shape)
    x = draw(arrays(draw(st.sampled_from([real, complexes])), shape))

    def put(np, x, i):
        return apply("add_along_axis", x, i, axis=axis, length=length, distinct=False)

    return put, (x, places), {"peer": False}


drawn("take_along_axis")(takings())
drawn("add_along_axis")(puttings())


# Writing into a copy.

WRITES = {
    "integers": (1, -1),
    "slices": (slice(None, None, 2), slice(2, 0, -1)),
    "newaxis": (None, 1),
    "ellipsis": (Ellipsis, 0),
    "distinct": (np.array([2, 0]),),
    "repeated": (np.array([2, 0, 2, -1]),),
    "repeated pairs": (np.array([[0], [0]]), np.array([1, 1, 2])),
    "repeated after a slice": (slice(None), np.array([1, 0, 1])),
    "around a slice": (np.array([0, 0, 1]), slice(None), np.array([1, 1, 0])),
    "mask": (np.array([1, 0, 1], bool),),
    "mask of two axes": (np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0]], bool),),
    "mask after a slice": (slice(None), np.array([1, 0, 1], bool)),
    "nothing": (np.zeros(0, int),),
    "everything": (),
}
CUBE = real(3, 3, 2)
for name, index in WRITES.items():
    indexed = CUBE[index].shape
    for what in ("set", "add"):
        write = lambda np, x, v, i=index, what=what: getattr(building.at(x)[i], what)(v)  # noqa: E731
        case(f"index_{what}", write, CUBE, real(*indexed), peer=False)
        if indexed:
            case(f"index_{what}", write, CUBE, real(*indexed[-1:]), peer=False)
        if name not in ("mask", "mask of two axes"):  # those are np.where
            case(f"index_{what}", write, CUBE, real(), peer=False)
for what in ("set", "add"):
    write = lambda np, x, v, i, what=what: getattr(building.at(x)[i], what)(v)  # noqa: E731
    case(f"index_{what}", write, real(4, 2), real(3, 2), np.array([3, 3, 0]), peer=False)
    case(f"index_{what}", write, complexes(4), complexes(3), np.array([3, 3, 0]), peer=False)
    case(f"index_{what}", write, real(4, 2), real(2), np.int64(2), peer=False)
    case(
        f"index_{what}",
        write,
        real(3),
        real(2),
        np.array([1, 0, 1], bool),
        peer=False,
        abstract=False,
    )
    case(
        f"index_{what}",
        lambda np, v, what=what: getattr(building.at(np.zeros((2, 3)))[0], what)(v),
        real(3),
        peer=False,
    )
    case(
        f"index_{what}",
        lambda np, x, what=what: getattr(building.at(x)[::2], what)(1.5) * x,
        real(3),
        peer=False,
    )
for what in ("multiply", "min", "max"):
    for index in ((0,), (slice(1, None),), (np.array([2, 0]),), (np.array([2, 0, 2, 2]),)):
        case(
            "index_set",
            lambda np, x, v, i=index, what=what: getattr(building.at(x)[i], what)(v),
            real(3, 2),
            real(*np.zeros((3, 2))[index].shape),
            peer=False,
        )
for what in ("set", "add", "multiply", "min", "max"):
    case(
        "where",
        lambda np, x, v, m, what=what: getattr(building.at(x)[m], what)(v),
        real(2, 3),
        real(),
        truths(2),
        peer=False,
    )


@st.composite
def writings(draw, what):
    """Draw an array, an index that may name entries twice, and values that may broadcast."""
    shape = draw(shapes(min_dims=1, min_side=1))
    axis = draw(st.integers(0, len(shape) - 1))
    length = shape[axis]
    places = draw(
        st.one_of(
            st.integers(-length, length - 1),
            st.lists(st.integers(-length, length - 1), max_size=5).map(lambda i: np.array(i, int)),
            st.lists(st.booleans(), min_size=length, max_size=length).map(
                lambda mask: np.array(mask, bool)
            ),
            st.builds(slice, st.integers(0, 2), st.none(), st.sampled_from([1, 2, -1])),
        )
    )
    index = (slice(None),) * axis + (places,)
    indexed = np.zeros(shape)[index].shape
    lengths = tuple(draw(st.sampled_from([n, 1])) for n in indexed)
    kind = draw(st.sampled_from([real, complexes]))
    x, v = draw(arrays(kind, shape)), draw(arrays(kind, lengths))

    def write(np, x, v):
        # Curved in both, so that their second derivatives mix.
        return getattr(building.at(x * x)[index], what)(v * v)

    return write, (x, v), {"peer": False}


drawn("index_set")(writings("set"))
drawn("index_add")(writings("add"))
flat(
    "winners",
    lambda np, i: apply("winners", i, index=(("array", 0),), shape=(4,)),
    np.array([1, 3, 1, -1]),
)
flat(
    "winners",
    lambda np, i: apply(
        "winners", i, index=(("slice", None, None, None), ("array", 0)), shape=(2, 3)
    ),
    np.array([[1, 2], [1, 0]]),
)
for x in (real(3), truths(2, 3), integers(4), distinct(2, 3)):
    for name in ("flatnonzero", "argwhere"):
        FLAT.append(
            Case("nonzero", lambda np, x, name=name: getattr(np, name)(x > 0), (x,), abstract=False)
        )
