"""Cases of padding, rolling, repeating, splitting and diagonals."""

from hypothesis import strategies as st

from backwave.protocol.rules.primitive import apply
from backwave.protocol.tracing.faces import building

from .base import arrays, case, complexes, distinct, drawn, real, shapes

# Rolling and flipping.

for shift, axis in [
    (1, None),
    (-7, None),
    (2, 0),
    (-1, -1),
    ((1, 2), (0, 1)),
    (1, (0, 1)),
    (3, ()),
]:
    options = {"axis": axis}
    case("roll", lambda np, x, s=shift, o=options: np.roll(x, s, **o), real(2, 3), peer=False)
case("roll", lambda np, x: np.roll(x, (1, 1), axis=(0, 0)), complexes(3, 2), peer=False)
case("roll", lambda np, x: np.roll(x, 2), real())
case("roll", lambda np, x: np.roll(x, 1, axis=1), real(2, 0))
for axis in (None, 0, -1, (0, 1), ()):
    case("flip", lambda np, x, a=axis: np.flip(x, a), real(2, 3), peer=False)
case("flip", lambda np, x: np.flip(x), real(), peer=False)
case("flip", lambda np, x: np.fliplr(np.flipud(x)), complexes(2, 3))
case("flip", lambda np, x: np.rot90(x), real(2, 3))
for turns in (-1, 1, 2, 3):
    case("flip", lambda np, x, k=turns: np.rot90(x, k, axes=(2, 0)), real(2, 3, 4), peer=False)


@st.composite
def rolls(draw):
    """Draw an array, and how far to roll it along which axes."""
    shape = draw(shapes(min_dims=1))
    x = draw(arrays(draw(st.sampled_from([real, complexes])), shape))
    axis = st.integers(-len(shape), len(shape) - 1)
    axes = draw(st.none() | axis | st.lists(axis, max_size=3).map(tuple))
    count = len(axes) if isinstance(axes, tuple) else 1
    shifts = draw(st.lists(st.integers(-5, 5), min_size=count, max_size=count).map(tuple))
    shift = shifts if isinstance(axes, tuple) else shifts[0]
    return lambda np, x: np.roll(x, shift, axis=axes), (x,), {"peer": False}


@st.composite
def flips(draw):
    """Draw an array, and the axes to flip."""
    shape = draw(shapes(min_dims=1))
    x = draw(arrays(draw(st.sampled_from([real, complexes])), shape))
    axes = draw(st.lists(st.integers(0, len(shape) - 1), unique=True).map(tuple))
    return lambda np, x: np.flip(x, axis=axes), (x,), {"peer": False}


drawn("roll")(rolls())
drawn("flip")(flips())


# Padding.

PADDINGS = [
    ("constant", {}),
    ("constant", {"constant_values": 1.5}),
    ("constant", {"constant_values": ((1.0, 2.0), (3.0, -1.0))}),
    ("edge", {}),
    ("reflect", {}),
    ("symmetric", {}),
    ("wrap", {}),
    ("linear_ramp", {"end_values": ((1.0, 2.0), (0.0, -1.0))}),
    ("maximum", {}),
    ("minimum", {"stat_length": 2}),
    ("mean", {"stat_length": ((1, 2), (3, 9))}),
]
for mode, options in PADDINGS:
    for width in (1, (2, 1), ((0, 3), (4, 0)), ((0, 0), (0, 0))):
        if (mode, width) == ("constant", ((0, 0), (0, 0))):
            continue  # the array itself
        name = {"constant": "concatenate" if options else "scatter"}.get(mode, "getitem")
        if mode == "linear_ramp" or mode in ("maximum", "minimum", "mean"):
            name = "concatenate"
        if name != "scatter" and width == ((0, 0), (0, 0)):
            continue
        case(
            name,
            lambda np, x, w=width, m=mode, o=options: np.pad(x, w, mode=m, **o),
            distinct(3, 4),
            peer=False,
        )
case("scatter", lambda np, x: np.pad(x, 2), complexes(2), peer=False)
case("scatter", lambda np, x: np.pad(x, ((1, 0), (0, 2))), real(0, 2), peer=False)
case("scatter", lambda np, x: np.pad(x, {-1: (1, 2)}), real(2, 2), peer=False)
case(
    "concatenate", lambda np, x, c: np.pad(x, 1, constant_values=c), real(2, 2), real(), peer=False
)


@st.composite
def paddings(draw):
    """Draw an array, and how to pad it with its own entries."""
    shape = draw(shapes(min_dims=1, min_side=1))
    widths = tuple(draw(st.tuples(st.integers(0, 4), st.integers(0, 4))) for _ in shape)
    mode = draw(st.sampled_from(["edge", "reflect", "symmetric", "wrap"]))
    widths = ((1, 2), *widths[1:])
    return (
        lambda np, x: np.pad(x, widths, mode=mode),
        (draw(arrays(real, shape)),),
        {"peer": False},
    )


drawn("getitem")(paddings())


@st.composite
def zero_paddings(draw):
    """Draw an array, and how many zeros to put around it."""
    shape = draw(shapes(min_dims=1))
    widths = ((2, 1), *(draw(st.tuples(st.integers(0, 2), st.integers(0, 2))) for _ in shape[1:]))
    x = draw(arrays(draw(st.sampled_from([real, complexes])), shape))
    return lambda np, x: np.pad(x, widths), (x,), {"peer": False}


drawn("scatter")(zero_paddings())

# Repeating.

for reps in (2, (2, 3), (2, 1, 2), (0, 2)):
    case("reshape", lambda np, x, r=reps: np.tile(x, r), real(2, 3), peer=False)
case("broadcast_to", lambda np, x: np.tile(x, (2, 2)), real(3))
case("broadcast_to", lambda np, x: np.tile(x, 3), real())
case("broadcast_to", lambda np, x: np.repeat(x, 3), real(2, 3))
case("broadcast_to", lambda np, x: np.repeat(x, 2, axis=0), real(2, 3))
case("broadcast_to", lambda np, x: x.repeat(2, axis=-1), real(2, 3))
case("broadcast_to", lambda np, x: np.repeat(x, 3), real())
case("broadcast_to", lambda np, x: np.repeat(x, 0, axis=1), real(2, 3))
case("getitem", lambda np, x: np.repeat(x, [2, 0, 1], axis=1), real(2, 3), peer=False)
case("broadcast_to", lambda np, x: np.resize(x, (3, 5)), real(2, 2), peer=False)
case("getitem", lambda np, x: np.resize(x, (2,)), real(2, 2), peer=False)

# Splitting.

case("getitem", lambda np, x: sum(i * p for i, p in enumerate(np.split(x, 3))), real(6, 2))
case("getitem", lambda np, x: np.concatenate(np.array_split(x, 4)[::-1]), real(6, 2))
case("getitem", lambda np, x: np.split(x, [1, -1], axis=1)[1], real(2, 4))
case("getitem", lambda np, x: np.split(x, [3, 2, 9])[2], real(4), peer=False)
case("getitem", lambda np, x: np.hsplit(x, 2)[1] * np.vsplit(x, 2)[0][:, :2], real(2, 4))
case("getitem", lambda np, x: np.hsplit(x, [1])[1], real(4), peer=False)
case("getitem", lambda np, x: np.dsplit(x, 2)[1], real(2, 1, 4))
case("getitem", lambda np, x: np.multiply(*np.unstack(x, axis=1)), real(3, 2), peer=False)

# Diagonals and triangles.

for offset in (-4, -2, -1, 0, 1, 2, 3, 5):
    for shape in ((3, 3), (2, 4), (4, 2)):
        case("getitem", lambda np, x, k=offset: np.diagonal(x, k), real(*shape), peer=False)
    case("scatter", lambda np, x, k=offset: np.diag(x, k), real(3), peer=False)
    for name in ("tril", "triu"):
        case(name, lambda np, x, n=name, k=offset: getattr(np, n)(x, k), real(2, 3, 4), peer=False)
for axes in ((0, 1), (1, 2), (2, 0), (-1, 1)):
    case(
        "getitem",
        lambda np, x, axes=axes: np.diagonal(x, 1, *axes) * x.diagonal(1, *axes),
        real(3, 2, 4),
        peer=False,
    )
    case("sum", lambda np, x, axes=axes: np.trace(x, -1, *axes), real(3, 2, 4), peer=False)
case("getitem", lambda np, x: np.diagonal(x), real(0, 3), peer=False)
case("getitem", lambda np, x: np.diag(x, 1), complexes(2, 3), peer=False)
case("scatter", lambda np, x: np.diagflat(x), real(2, 2), peer=False)
case("scatter", lambda np, x: np.diag(x), real(0), peer=False)
case("sum", lambda np, x: np.trace(x) * x.trace(), real(3, 3))
for name in ("tril", "triu"):
    case(name, lambda np, x, n=name: getattr(np, n)(x), complexes(3, 3), peer=False)
    case(name, lambda np, x, n=name: getattr(np, n)(x, 1), real(3), peer=False)
    case(name, lambda np, x, n=name: getattr(np, n)(x), real(0, 2), peer=False)


@st.composite
def triangles(draw, name):
    """Draw matrices and a diagonal to cut them at."""
    shape = draw(shapes(min_dims=2))
    k = draw(st.integers(-4, 4))
    x = draw(arrays(draw(st.sampled_from([real, complexes])), shape))
    return lambda np, x: getattr(np, name)(x, k) * getattr(np, name)(x), (x,), {"peer": False}


drawn("tril")(triangles("tril"))
drawn("triu")(triangles("triu"))

# Windows.


def windows(np, x, *args, **kwargs):
    return np.lib.stride_tricks.sliding_window_view(x, *args, **kwargs)


for shape, window, axis in [
    ((5,), 3, None),
    ((5, 4), (2, 3), None),
    ((5, 4), 2, 0),
    ((5, 4, 2), (2, 2), (1, 0)),
    ((6,), (2, 3), (0, 0)),
    ((3, 2), (), ()),
    ((3,), 3, -1),
]:
    use = lambda np, x, w=window, a=axis: windows(np, x, w, axis=a)  # noqa: E731
    case("sliding_window_view", use, real(*shape), peer=False)
case("sliding_window_view", lambda np, x: windows(np, x, 2), complexes(4), peer=False)
for x, shape, axis in [(real(3, 2), (4,), (0,)), (real(3, 2, 2, 3), (4, 4), (0, 1))]:
    case(
        "overlap_add",
        lambda np, x, s=shape, a=axis: apply("overlap_add", x, shape=s, axis=a),
        x,
        peer=False,
    )


@st.composite
def slidings(draw):
    """Draw an array, and windows over some of its axes."""
    shape = draw(shapes(min_dims=1, min_side=1, max_side=4))
    axes = draw(st.lists(st.integers(0, len(shape) - 1), unique=True, min_size=1).map(tuple))
    window = tuple(draw(st.integers(1, shape[axis])) for axis in axes)
    x = draw(arrays(draw(st.sampled_from([real, complexes])), shape))
    return lambda np, x: windows(np, x, window, axis=axes), (x,), {"peer": False}


@st.composite
def overlaps(draw):
    """Draw windows, and the array in which they overlap."""
    shape = draw(shapes(min_dims=1, min_side=1, max_side=4))
    axis = draw(st.integers(0, len(shape) - 1))
    window = draw(st.integers(1, shape[axis]))
    lengths = [*shape, window]
    lengths[axis] -= window - 1
    x = draw(arrays(real, tuple(lengths)))
    return (
        lambda np, x: apply("overlap_add", x, shape=shape, axis=(axis,)),
        (x,),
        {"peer": False},
    )


drawn("sliding_window_view")(slidings())
drawn("overlap_add")(overlaps())

# Building.

case(
    "stack",
    lambda np, t: building.array([[np.cos(t), -np.sin(t), 0.0], [1.0, t * t, 2]]),
    real(),
    peer=False,
)
case("stack", lambda np, x, t: building.array([x, [t, 1.0, t * t]]), real(3), real(), peer=False)
case("stack", lambda np, x: building.array([[x, x * x], [x, np.ones(2)]]), real(2), peer=False)
case(
    "concatenate",
    lambda np, x, t: building.r_[x, 1.0, 0:2, t, [1.5, t]],
    real(3),
    real(),
    peer=False,
)
case("concatenate", lambda np, x, y: building.c_[x, y, [1.0, 2.0]], real(2), real(2, 2), peer=False)
case("concatenate", lambda np, x: building.r_["-1,2,0", x, x * x], real(2), peer=False)
