"""Moving, sorting, choosing and building: traced values are NumPy's, and the traps are safe."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol import errors
from backwave.protocol.tracing.faces.building import array, at, c_, r_

from ...amount import amount

X = np.random.default_rng(4).normal(size=(3, 4))
I = np.array([[2, 0, 1], [1, 1, 0]])  # noqa: E741
WHOLE = np.arange(12).reshape(3, 4) - 5
PAD = {
    "constant": [{}, {"constant_values": 2}, {"constant_values": (1, 2)}],
    "edge": [{}],
    "reflect": [{}],
    "symmetric": [{}],
    "wrap": [{}],
    "linear_ramp": [{}, {"end_values": ((4, 5), (-6, 7))}],
    "maximum": [{}, {"stat_length": ((1, 2), (3, 3))}],
    "minimum": [{"stat_length": 2}],
    "mean": [{}, {"stat_length": 1}],
    "median": [{}, {"stat_length": 3}],
}
VALUES = {
    "tile": lambda x: np.tile(x, (2, 1, 3)),
    "tile_array": lambda x: np.tile(x, np.array([2, 1])),
    "repeat_array": lambda x: np.repeat(x, np.array([1, 0, 2]), axis=0),
    "repeat_one": lambda x: np.repeat(x, np.array([2]), axis=0),
    "array_split": lambda x: np.concatenate([p * i for i, p in enumerate(np.array_split(x, 2))]),
    "insert_slice": lambda x: np.insert(x, slice(None, None, 2), 7.0, axis=1),
    "insert_mask": lambda x: np.insert(x, np.array([True, False, True]), 7.0, axis=0),
    "insert_one_of_a_mask": lambda x: np.insert(x, np.array([True]), 7.0, axis=0),
    "insert_many": lambda x: np.insert(x, [1, 1, -1], [[1.0], [2.0], [3.0]], axis=0),
    "insert_rows": lambda x: np.insert(x, 1, np.arange(8.0).reshape(2, 4), axis=0),
    "insert_columns": lambda x: np.insert(x, 1, np.arange(6.0).reshape(2, 3), axis=1),
    "insert_flat": lambda x: np.insert(x, [2], [5.0, 6.0]),
    "delete_slice": lambda x: np.delete(x, slice(1, None, 2), axis=1),
    "delete_negative": lambda x: np.delete(x, [-1, 0]),
    "delete_mask": lambda x: np.delete(x, np.array([True, False, True]), axis=0),
    "delete_nothing": lambda x: np.delete(x, []),
    "append": lambda x: np.append(x, [1, 2]),
    "block": lambda x: np.block([[x, x], [np.ones((1, 4)), np.zeros(4)]]),
    "block_deep": lambda x: np.block([[[x]], [[x]]]),
    "concatenate_dtype": lambda x: np.concatenate([x, x], dtype=np.float32),
    "hstack": lambda x: np.hstack([x[0], 1.0, x[1]]),
    "dstack": lambda x: np.dstack([x, x]),
    "column_stack": lambda x: np.column_stack([x[:, 0], x]),
    "resize": lambda x: np.resize(x, (5, 5)),
    "reshape_f": lambda x: np.reshape(x, (2, 3, 2), order="F"),
    "flatten_f": lambda x: x.flatten(order="F"),
    "rollaxis": lambda x: np.rollaxis(x[None], -1, -2),
    "atleast_3d": lambda x: np.atleast_3d(x[0]),
    "diag": lambda x: np.diag(np.diag(x, -1), 2),
    "diagonal": lambda x: x[None].diagonal(1, 2, 1),
    "diagflat": lambda x: np.diagflat(x[:2, :2], -1),
    "trace": lambda x: x.trace(offset=1, dtype=np.float32),
    "tril": lambda x: np.tril(x[0]) + np.triu(x[1], 1),
    "sort": lambda x: np.sort(x, axis=None),
    "sort_whole": lambda x: np.sort(WHOLE % 3 + 0 * x.astype(int)),
    "argsort": lambda x: np.argsort((x > 0).astype(int), kind="stable"),
    "lexsort": lambda x: np.lexsort((x[0], x[1] > 0)),
    "searchsorted": lambda x: np.searchsorted(np.sort(x[0]), x, side="right"),
    "searchsorted_sorter": lambda x: np.searchsorted(x[0], x, sorter=np.argsort(x[0])),
    "digitize": lambda x: np.digitize(x, [-1.0, 0.0, 1.0]),
    "digitize_falling": lambda x: np.digitize(x, np.array([1.0, 0.0, -1.0]), right=True),
    "digitize_traced": lambda x: np.digitize(x, np.sort(x[0])),
    "take_wrap": lambda x: np.take(x, I + 7, axis=1, mode="wrap"),
    "take_clip": lambda x: np.take(x, I - 1, mode="clip"),
    "take_method": lambda x: x.take([[0, 1]], axis=-1),
    "take_traced": lambda x: np.take(x, x.argsort(axis=1)),
    "take_along_axis": lambda x: np.take_along_axis(x, I, 1) if x.shape[0] == 2 else x,
    "choose": lambda x: np.choose(np.array([0, 1, 1, 0]), [x, -x]),
    "choose_wrap": lambda x: np.choose(np.array([4, -1, 1, 0]), [x, 2.0], mode="wrap"),
    "choose_method": lambda x: (x > 0).astype(int).choose([x, 7.0]),
    "select": lambda x: np.select([x > 1, x > 0], [x, x * x], -1),
    "compress": lambda x: np.compress([1, 0, 1], x, axis=0),
    "compress_method": lambda x: x.compress([True, False, True]),
    "compress_traced": lambda x: np.compress(x[0] > 0, x, axis=1),
    "extract": lambda x: np.extract(x > 0, x),
    "nonzero": lambda x: np.stack(np.nonzero(x > 0)),
    "nonzero_method": lambda x: x[x.nonzero()],
    "where": lambda x: x[np.where(x > 0)],
    "argwhere": lambda x: np.argwhere(x > 0),
    "flatnonzero": lambda x: np.flatnonzero(x > 0),
    "ix_": lambda x: x[np.ix_(x[:, 0] > -9, [1, 3])],
    "unravel_index": lambda x: x[np.unravel_index(np.argmax(x), x.shape)],
    "unravel_index_f": lambda x: np.stack(np.unravel_index(np.argmax(x), (3, 4), order="F")),
    "diag_indices_from": lambda x: x[:, :3][np.diag_indices_from(x[:, :3])],
    "tril_indices_from": lambda x: x[np.tril_indices_from(x, -1)],
    "meshgrid": lambda x: np.stack(np.meshgrid(x[0], x[:, 0], [1.0, 2.0])),
    "meshgrid_ij": lambda x: np.stack(np.meshgrid(x[0], x[:, 0], indexing="ij")),
    "broadcast_arrays": lambda x: np.stack(np.broadcast_arrays(x, x[0], 1.0)),
    "sliding": lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 3)),
    "roll": lambda x: np.roll(x, (1, 2), axis=0),
    "roll_flat": lambda x: np.roll(x, 5),
    "rot90": lambda x: np.rot90(x[None], 3, axes=(1, 2)),
}


def traced(f, *args):
    """What f gives when it is traced."""
    return bw.vjp(f, *args)[0]


def same(found, expected):
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", VALUES)
def test_the_traced_value_is_numpys(name):
    for x in (X, X.astype(np.float32), X[::-1, ::-1], np.asfortranarray(X)):
        same(traced(VALUES[name], x), VALUES[name](x))


@pytest.mark.parametrize("mode", PAD)
def test_padding_is_numpys(mode):
    for options in PAD[mode]:
        for width in (2, (1, 3), ((0, 2), (5, 1)), {1: (2, 0)}):
            for x in (X, X.astype(np.float32), WHOLE):

                def f(x, width=width, options=options):
                    return np.pad(x, width, mode=mode, **options)

                found, expected = traced(f, x), f(x)
                assert found.dtype == expected.dtype
                np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


# Masks.


@st.composite
def masked_indices(draw):
    shape = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)))
    index, axis = [], 0
    count = None
    while axis < len(shape):
        kind = draw(
            st.sampled_from(["mask", "mask", "array", "integer", "slice", "newaxis", "0-d"])
        )
        if kind == "mask":
            axes = draw(st.integers(1, min(2, len(shape) - axis)))
            mask = np.zeros(shape[axis : axis + axes], bool)
            wanted = draw(st.integers(0, mask.size)) if count in (None, 1) else count
            if wanted > mask.size:
                break
            mask.flat[:wanted] = True
            count = wanted if count in (None, 1) else count
            index.append(mask)
            axis += axes - 1
        elif kind == "array":
            length = 1 if count is None else count
            index.append(np.zeros(draw(st.sampled_from([1, length])), int))
        elif kind == "integer":
            index.append(draw(st.integers(-shape[axis], shape[axis] - 1)))
        elif kind == "slice":
            index.append(slice(None, None, draw(st.sampled_from([1, -1, 2]))))
        else:
            index.append(None if kind == "newaxis" else True)
            if len(index) > 5:
                break
            continue
        axis += 1
    return shape, tuple(index)


@settings(max_examples=amount(30, 300))
@given(masked_indices())
def test_any_mask_has_numpys_shape_and_its_transpose(drawn):
    shape, index = drawn
    x = np.random.default_rng(0).normal(size=shape)
    try:
        expected = x[index]
    except IndexError:
        with pytest.raises(errors.ShapeError):
            bw.trace(lambda x: x[index], x)
        return
    same(traced(lambda x: x[index], x), expected)
    graph = bw.trace(lambda x: x[index], bw.Shape(shape))
    assert graph.nodes[graph.output].shape == expected.shape
    transposed = np.zeros(shape)
    np.add.at(transposed, index, expected)
    same(bw.vjp(lambda x: x[index], x)[1](expected)[0], transposed)
    # The masks as nodes.
    masks = [m for m in index if isinstance(m, np.ndarray) and m.dtype == bool]

    def by_nodes(x, *masks):
        rest = iter(masks)
        whole = (isinstance(m, np.ndarray) and m.dtype == bool for m in index)
        return x[tuple(next(rest) if w else m for m, w in zip(index, whole, strict=True))]

    value, back = bw.vjp(by_nodes, x, *masks)
    same(value, expected)
    same(back(expected)[0], transposed)


def test_a_mask_of_another_shape_is_refused_with_and_without_values():
    mask = np.array([True, False])
    for argument in (X, bw.Shape(X.shape)):
        with pytest.raises(errors.ShapeError, match=r"test_faces_moving\.py:\d+: .*mask of shape"):
            bw.trace(lambda x: x[mask], argument)


def test_the_gradient_of_a_mask_is_one_message():
    mask = X > 0
    graph = bw.trace(lambda x, m: np.sum(x[m]), X, mask)
    assert graph.num_edges == 2
    assert [node.primitive for node in graph.nodes if node.inputs] == ["getitem", "sum"]


def test_places_that_are_found_must_be_as_many_in_a_replay():
    graph = bw.trace(lambda x: np.sum(x[np.flatnonzero(x > 0)] ** 2), np.array([1.0, -1.0, 2.0]))
    x = np.array([-1.0, 3.0, 2.0])
    np.testing.assert_array_equal(bw.backward(graph, x).grads[0], [0.0, 6.0, 4.0])
    with pytest.raises(errors.ShapeError, match="trace it again"):
        bw.backward(graph, np.ones(3))


# Writing into a copy.

WRITES = ("set", "add", "multiply", "min", "max")
PLACES = [
    1,
    (slice(None), 2),
    np.array([2, 0]),
    np.array([1, 1, 0, 1]),
    ([0, 0], [1, 1]),
    (slice(None), [3, 3, -1]),
    np.array([True, False, True]),
    X > 0,
    (slice(0, 2), slice(None, None, -1)),
    ...,
    (None, 1),
    np.zeros(0, int),
]


def written(x, index, v, what):
    """NumPy's own way."""
    out = x.copy()
    if what == "set":
        out[index] = v
    else:
        ufunc = {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}
        ufunc[what].at(out, index, v)
    return out


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("index", PLACES, ids=lambda index: repr(index)[:20])
def test_writing_is_numpys(what, index):
    random = np.random.default_rng(1)
    shape = X[index].shape
    for v in (random.normal(size=shape), np.float64(0.3), 2, random.normal(size=shape[-1:])):
        expected = written(X, index, v, what)

        def f(x, v=v):
            return getattr(at(x)[index], what)(v)

        before = X.copy()
        same(f(X), expected)
        same(X, before)
        same(traced(f, X), expected)
        same(traced(f, X, np.asarray(v, float)), expected)
        same(traced(lambda v: f(X, v), np.asarray(v, float)), expected)
        single = f(X.astype(np.float32))
        assert single.dtype == np.float32
        assert traced(f, X.astype(np.float32)).dtype == np.float32


def test_the_last_value_wins_and_takes_the_whole_gradient():
    index = np.array([1, 0, 1, 1])
    v = np.array([1.0, 2.0, 3.0, 4.0])

    def f(x, v):
        return np.sum(at(x)[index].set(v) ** 2)

    for order in (index, list(index)):
        value, (to_x, to_v) = bw.value_and_grad(
            lambda x, v, i=order: np.sum(at(x)[i].set(v) ** 2), argnums=(0, 1)
        )(np.array([7.0, 8.0, 9.0]), v)
        assert value == 4.0 + 16.0 + 81.0
        np.testing.assert_array_equal(to_x, [0.0, 0.0, 18.0])
        np.testing.assert_array_equal(to_v, [0.0, 4.0, 0.0, 8.0])
    by_traced = bw.vjp(lambda x, v, i: at(x)[i].set(v), np.zeros(3), v, index)
    np.testing.assert_array_equal(by_traced[0], [2.0, 4.0, 0.0])
    np.testing.assert_array_equal(by_traced[1](np.array([1.0, 2.0, 3.0]))[1], [0, 1, 0, 2])


def test_a_nan_that_is_written_over_stays_away():
    x = np.array([np.nan, 2.0])
    assert bw.grad(lambda x: np.sum(at(x)[0].set(0.0) ** 2))(x).tolist() == [0.0, 4.0]
    mask = np.isnan(x)
    assert bw.grad(lambda x: np.sum(at(x)[mask].set(0.0) ** 2))(x).tolist() == [0.0, 4.0]
    _, back = bw.vjp(lambda x: at(x)[0].set(1.0), x)
    assert back(np.array([np.inf, 1.0]))[0].tolist() == [0.0, 1.0]


def test_entries_that_are_named_twice_multiply_and_compare_in_turn():
    index = np.array([0, 0, 1, 0])
    x, v = np.array([2.0, 3.0]), np.array([0.0, 5.0, 7.0, 4.0])
    to_x, to_v = bw.grad(lambda x, v: np.sum(at(x)[index].multiply(v)), argnums=(0, 1))(x, v)
    np.testing.assert_array_equal(to_x, [0.0, 7.0])
    np.testing.assert_array_equal(to_v, [40.0, 0.0, 3.0, 0.0])
    to_x, to_v = bw.grad(lambda x, v: np.sum(at(x)[index].max(v)), argnums=(0, 1))(x, v)
    np.testing.assert_array_equal(to_x, [0.0, 0.0])
    np.testing.assert_array_equal(to_v, [0.0, 1.0, 1.0, 0.0])
    # A traced index must not name an entry twice, in a replay neither.
    graph = bw.trace(lambda x, i: np.sum(at(x)[i].multiply(2.0)), x, np.array([1, 0]))
    np.testing.assert_array_equal(bw.backward(graph, x, np.array([0, 1])).grads[0], [2.0, 2.0])
    with pytest.raises(errors.GuardError):
        bw.backward(graph, x, np.array([1, 1]))
    with pytest.raises(errors.TraceError, match="plain array"):
        bw.trace(lambda x, i: at(x)[i].multiply(2.0), x, np.array([1, 1]))


def test_a_value_that_the_array_cannot_hold_is_refused():
    for x, v in ((WHOLE, 0.5), (WHOLE, X), (X, 1j)):
        with pytest.raises(errors.ShapeError, match="cannot hold"):
            at(x)[...].set(v)
        with pytest.raises(errors.ShapeError, match="cannot hold"):
            bw.trace(lambda y, x=x, v=v: at(x + 0 * y.astype(x.dtype))[...].set(v), X)


def test_a_masked_write_of_one_number_needs_no_values():
    graph = bw.trace(lambda x: np.sum(at(x)[x > 0].set(0.0) ** 2), bw.Shape(3))
    x = np.array([-1.0, 2.0, -3.0])
    np.testing.assert_array_equal(bw.backward(graph, x).grads[0], [-2.0, 0.0, -6.0])


# Building.


def test_building_is_numpys():
    x, t = X[0], 0.5
    for f in (
        lambda array, x, t: array([t, 2.0]),
        lambda array, x, t: array([[t, 1], [2.0, t * t]]),
        lambda array, x, t: array([x, x * t]),
        lambda array, x, t: array([x, [1.0, 2.0, t, 0.0]]),
        lambda array, x, t: array([[[1, 2], [3, 4]], [[t, t], [5, 6]]]),
        lambda array, x, t: array((t, 1), dtype=np.float32),
        lambda array, x, t: array(t),
        lambda array, x, t: array([1, 2, 3]),
        lambda array, x, t: array([[], []]),
    ):
        expected = f(np.array, x, t)
        same(f(array, x, t), expected)
        same(traced(lambda x, t, f=f: f(array, x, t), x, t), expected)


def test_building_of_unequal_parts_is_refused():
    with pytest.raises(errors.ShapeError, match="must be equal"):
        bw.trace(lambda x: array([x, [1.0, 2.0]]), X[0])


@pytest.mark.parametrize(
    "f",
    [
        lambda r, c, x, y: r[x, 1.0, y],
        lambda r, c, x, y: r[x, 0:4, 5, [1, 2]],
        lambda r, c, x, y: r[0:1:5j, x],
        lambda r, c, x, y: c[x, y],
        lambda r, c, x, y: c[x, [1.0, 2.0, 3.0, 4.0], 0:4],
        lambda r, c, x, y: c[np.stack([x, y], axis=1), y],
        lambda r, c, x, y: r["0,2", x, y],
        lambda r, c, x, y: r["-1,2,0", x, y],
        lambda r, c, x, y: r["0,2,0", x, y],
        lambda r, c, x, y: r["1,3", x, y],
        lambda r, c, x, y: r["-1", np.stack([x, y]), np.stack([x, y])],
    ],
)
def test_joining_in_brackets_is_numpys(f):
    x, y = X[0], X[1].astype(np.float32)
    same(f(r_, c_, x, y), f(np.r_, np.c_, x, y))
    same(traced(lambda x, y: f(r_, c_, x, y), x, y), f(np.r_, np.c_, x, y))
    same(traced(lambda x: f(r_, c_, x, y), x), f(np.r_, np.c_, x, y))


# What cannot be traced says what to do.


@pytest.mark.parametrize(
    ("f", "advice"),
    [
        (lambda x: x.sort(), r"np\.sort\(x\)"),
        (lambda x: x.partition(1), r"np\.partition"),
        (lambda x: x.resize((2, 2)), r"np\.resize"),
        (lambda x: x.fill(0.0), r"np\.full_like"),
        (lambda x: np.unique(x), r"return_index=True"),
        (lambda x: np.put_along_axis(x, I, 0.0, 1), r"bw\.at"),
        (lambda x: np.fill_diagonal(x, 0.0), r"bw\.at\(x\)\[np\.diag_indices"),
        (lambda x: np.put(x, [0], 0.0), r"bw\.at"),
        (lambda x: np.copyto(np.zeros((3, 4)), x), r"np\.where"),
        (lambda x: np.pad(x, 1, mode="reflect", reflect_type="odd"), "reflect_type"),
        (lambda x: np.pad(x, 1, mode="empty"), "mode='empty'"),
        (lambda x: np.repeat(x, (x[:, 0] > 0).astype(int), axis=0), "plain array"),
        (lambda x: np.take(x, [0], mode="odd"), "raise, wrap or clip"),
        (lambda x: np.delete(x, np.argmax(x, axis=0)), "plain array"),
        (lambda x: x.ravel(order="K"), "order='K'"),
    ],
)
def test_what_cannot_be_traced_says_what_to_do(f, advice):
    with pytest.raises(errors.TraceError, match=rf"test_faces_moving\.py:\d+: .*{advice}"):
        bw.trace(f, X)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.split(x, 3, axis=1),
        lambda x: np.pad(x, -1),
        lambda x: np.pad(x, (1, 2, 3)),
        lambda x: np.roll(x, (1, 2), axis=(0, 1, 1)),
        lambda x: np.repeat(x, [1, 2], axis=0),
        lambda x: np.diag(x[None]),
        lambda x: np.lib.stride_tricks.sliding_window_view(x, 9, axis=0),
        lambda x: np.insert(x, 9, 1.0, axis=0),
        lambda x: np.insert(x, 1, np.ones(3), axis=0),
        lambda x: np.insert(x, [0, 1], np.ones((3, 4)), axis=0),
        lambda x: np.delete(x, 9, axis=0),
        lambda x: np.partition(x, 9),
        lambda x: np.sort(x[0, 0]),
        lambda x: np.take_along_axis(x, I[0], 1),
        lambda x: np.meshgrid(x, [1, 2])[0] @ x,
        lambda x: at(x)[0].set(np.ones(3)),
        lambda x: at(x)[9].add(1.0),
        lambda x: np.hsplit(x[0, 0], 1),
        lambda x: np.block([x, [x]]),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_and_without_values(f):
    for argument in (X, bw.Shape(X.shape)):
        with pytest.raises(errors.ShapeError, match=r"test_faces_moving\.py:\d+: "):
            bw.trace(f, argument)


def test_every_case_is_plain_data_that_a_file_holds(tmp_path):
    def f(x, v):
        total = np.sum(at(x)[[1, 1, 2]].set(v) ** 2) + np.sum(at(x)[np.array([1, 2, 0])].set(v))
        total = total + np.sum(at(x)[x > 0.5].add(v)) + np.sum(np.sort(x)[x > 0.5] * v)
        total = total + np.sum(np.roll(x, np.int64(1)) * np.flip(x)) + np.sum(np.pad(x, 1))
        total = total + np.sum(np.lib.stride_tricks.sliding_window_view(x, 2)[:, 0] ** 2)
        total = total + np.sum(np.partition(x, 2)[np.flatnonzero(x > 0.5)])
        return total + np.sum(np.tril(np.diag(x), np.int64(1))) + np.sum(np.take(x, np.argsort(x)))

    args = np.array([0.1, 0.7, 0.2, 0.9, 0.6]), np.array([1.0, 2.0, 3.0])
    graph = bw.trace(f, *args)
    graph.save(tmp_path / "graph.bw")
    loaded = bw.Graph.load(tmp_path / "graph.bw")
    mine, theirs = bw.backward(loaded, *args), bw.backward(graph, *args)
    assert mine.value == theirs.value == f(*args)
    for a, b in zip(mine.grads, theirs.grads, strict=True):
        np.testing.assert_array_equal(a, b)
