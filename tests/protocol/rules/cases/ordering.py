"""Cases of sorting and choosing."""

import numpy as np
from hypothesis import strategies as st

from .base import arrays, case, complexes, distinct, drawn, flat, integers, real, shapes

for axis in (-1, 0, 1, None):
    case("take_along_axis", lambda np, x, a=axis: np.sort(x, axis=a), distinct(2, 3, 2), peer=False)
case("take_along_axis", lambda np, x: np.sort(x), real(5))
case("take_along_axis", lambda np, x: np.sort(x), real(0, 3), peer=False)
case("take_along_axis", lambda np, x: np.sort(x), real(3, 0), peer=False)
case("take_along_axis", lambda np, x: np.sort(x, kind="stable"), complexes(4), peer=False)
case("take_along_axis", lambda np, x: np.sort(x)[-2] * x, distinct(4))
case("take_along_axis", lambda np, x: np.partition(x, 2), distinct(5), peer=False)
case("take_along_axis", lambda np, x: np.partition(x, (1, -1), axis=0), distinct(4, 2), peer=False)
case("take_along_axis", lambda np, x: np.partition(x, 3, axis=None)[3], distinct(3, 2), peer=False)
for axis in (-1, 0, None):
    flat("argsort", lambda np, x, a=axis: np.argsort(x, axis=a), distinct(2, 3))
    flat("argpartition", lambda np, x, a=axis: np.argpartition(x, 1, axis=a), distinct(2, 3))
flat("argsort", lambda np, x: x.argsort(kind="stable"), integers(6))  # ties
flat("argsort", lambda np, x: np.argsort(x, stable=True), real(0))
flat("argsort", lambda np, a, b: np.lexsort((a, b)), integers(6), integers(6))
flat("argsort", lambda np, a: np.lexsort(a, axis=0), integers(3, 4))
flat("argpartition", lambda np, x: x.argpartition((0, 2)), distinct(4))
BINS = np.array([-1.5, -0.5, 0.5, 1.0])
for side in ("left", "right"):
    flat("searchsorted", lambda np, a, v, s=side: np.searchsorted(a, v, side=s), BINS, real(2, 3))
flat("searchsorted", lambda np, a, v: a.searchsorted(v), BINS, np.float64(0.5))
flat("searchsorted", lambda np, a: np.searchsorted(a, 0.5), BINS)
flat("searchsorted", lambda np, v: np.searchsorted(BINS, v), real(3))
flat("searchsorted", lambda np, v: np.digitize(v, BINS), real(3))
flat("searchsorted", lambda np, v: np.digitize(v, BINS[::-1], right=True), real(3))
flat(
    "searchsorted",
    lambda np, a, v: np.searchsorted(a, v, sorter=np.argsort(a)),
    np.array([3.0, 1.0, 2.0]),
    real(3),
)


@st.composite
def sortings(draw):
    """Draw an array to sort, and along which axis."""
    shape = draw(shapes(min_dims=1))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    x = draw(arrays(distinct, shape))
    return lambda np, x: np.sort(x, axis=axis), (x,), {"peer": False}


@st.composite
def partitions(draw):
    """Draw an array, and which entry to find; the others' order is left open by NumPy."""
    shape = draw(shapes(min_dims=1, min_side=1))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    x = draw(arrays(distinct, shape))
    length = x.size if axis is None else shape[axis]
    kth = draw(st.integers(-length, length - 1))

    def the_kth(np, x):
        return np.take(np.partition(x, kth, axis=axis), kth, axis=axis or 0)

    return the_kth, (x,), {"peer": False}


drawn("take_along_axis", "argsort")(sortings())
drawn("argpartition")(partitions())
