"""A user's own primitive: one node, with the message that the user gave it."""

import importlib
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from scipy import special

import backwave as bw
from backwave.protocol.graph.shipped import import_sources, sources
from backwave.protocol.rules import TABLE

from ...networks import assert_same_bits, bits

x = np.linspace(0.4, 1.9, 5)
HERE = __name__


@bw.primitive
def cube(z):
    return z**3


@cube.message
def _(S, u, z):
    return S * 3 * z**2


@bw.primitive()
def opaque(z):
    """Nothing of it can be traced."""
    return np.array([float(value) ** 2 for value in z])


@opaque.message
def _(S, u, z):
    return S * 2 * z


@bw.primitive(name="log_gamma", shape=lambda z: z, flops=lambda u, z: 50 * u.size)
def by_scipy(z):
    return special.gammaln(np.asarray(z))


@by_scipy.message
def _(S, u, z):
    return S * digamma(z)


@bw.primitive(shape=lambda z: bw.Shape(z.shape, z.dtype))
def digamma(z):
    return special.psi(np.asarray(z))


digamma.message(lambda S, u, z: S * trigamma(z))


@bw.primitive(shape=lambda z: z)
def trigamma(z):
    return special.polygamma(1, np.asarray(z))


trigamma.message(None)


@bw.primitive
def gathered(table, index, weight):
    return table[index] * weight


gathered.message(
    lambda S, u, table, index, weight: scatter(S * weight, index, len(table)),
    None,
    lambda S, u, table, index, weight: S * table[index],
)


def scatter(S, index, length):
    onto = (np.arange(length)[:, None] == index) * 1.0
    return onto @ S


@bw.primitive
def powered(z, *, n=2, scale=1.0, labels=()):
    return scale * z**n


@powered.message
def _(S, u, z, *, n=2, scale=1.0, labels=()):
    return S * (scale * n) * z ** (n - 1)


@bw.primitive
def without_message(z):
    return z


# One node.


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (cube, "cube"),
        (opaque, "opaque"),
        (by_scipy, "log_gamma"),
    ],
)
def test_it_is_one_node_under_its_own_name(f, name):
    graph = bw.trace(lambda x: np.sum(f(x)), x)
    assert [node.primitive for node in graph.nodes] == ["leaf", f"{HERE}:{name}", "sum"]
    assert graph.nodes[1].line.partition(":")[0].endswith("test_user_primitive.py")
    assert repr(f) == f"<primitive {HERE}:{name}>"
    assert bw.backward(graph, x).ledger.messages == 2


def test_it_keeps_what_a_function_has():
    assert (cube.__name__, by_scipy.__name__) == ("cube", "log_gamma")
    assert opaque.__doc__ == "Nothing of it can be traced."
    np.testing.assert_array_equal(cube(x), x**3)  # on arrays, as ever


def test_its_message_is_what_counts():
    @bw.primitive(name="straight_through")
    def rounded(z):
        return np.round(z)

    rounded.message(lambda S, u, z: S * 7)
    np.testing.assert_array_equal(bw.grad(lambda x: np.sum(rounded(x)))(x), np.full(5, 7.0))
    np.testing.assert_array_equal(bw.jvp(rounded, (x,), (x,))[1], 7 * x)
    # In a gradient of a gradient as well: it is one node on the outer tape too.
    nested = bw.grad(lambda x: np.sum(bw.grad(lambda x: np.sum(rounded(x) ** 2))(x)))(x)
    np.testing.assert_array_equal(nested, np.full(5, 2 * 7 * 7.0))


@pytest.mark.parametrize(
    ("f", "first", "second"),
    [
        (cube, 3 * x**2, 6 * x),
        (opaque, 2 * x, np.full(5, 2.0)),
        (by_scipy, special.psi(x), special.polygamma(1, x)),
        (partial(powered, n=4, scale=0.5), 2 * x**3, 6 * x**2),
    ],
    ids=["cube", "opaque", "scipy", "attributes"],
)
def test_derivatives_of_both_orders_and_modes_are_closed_forms(f, first, second):
    def total(x):
        return np.sum(f(x))

    close = {"rtol": 1e-12}
    v = np.cos(x)
    np.testing.assert_allclose(bw.grad(total)(x), first, **close)
    np.testing.assert_allclose(bw.hvp(total)(x, v), second * v, **close)
    np.testing.assert_allclose(bw.hessian(total)(x), np.diag(second), **close)
    np.testing.assert_allclose(bw.jacobian(lambda x: f(x) * 1.0)(x), np.diag(first), **close)
    np.testing.assert_allclose(bw.jvp(total, (x,), (v,))[1], first @ v, **close)
    np.testing.assert_allclose(bw.grad(lambda x: np.sum(bw.grad(total)(x)))(x), second, **close)
    graph = bw.trace(total, x)
    np.testing.assert_allclose(bw.backward(graph, x).hessian @ v, second * v, **close)
    there = bw.run_locally(bw.plan(graph, 2), x)
    assert_same_bits(there, bw.backward(graph, x))


@pytest.mark.parametrize(
    "f",
    [cube, opaque, by_scipy, partial(powered, n=3)],
    ids=["cube", "opaque", "by_scipy", "powered"],
)
def test_check_grads_takes_them(f):
    bw.check_grads(f, order=1 if f is by_scipy else 2)(x)


def test_check_grads_finds_that_a_derivative_has_no_message_of_its_own():
    bw.check_grads(by_scipy, order=2)(x)  # trigamma is its second, and all is right
    with pytest.raises(bw.errors.GradientError):  # the third is cut off by message(None)
        bw.check_grads(by_scipy, order=3, modes="reverse")(x)


def test_several_inputs_of_which_one_has_no_gradient():
    table, index, weight = np.arange(4.0) + 1, np.array([2, 0, 2]), np.array([1.0, 2.0, 3.0])

    def f(table, weight):
        return np.sum(gathered(table, index, weight) ** 2)

    graph = bw.trace(f, table, weight)
    assert graph.inputs_without_gradient >= 1
    gradient = bw.backward(graph, table, weight).grads
    np.testing.assert_allclose(gradient[0], [2 * 4 * 1, 0, 2 * (1 + 9) * 3, 0])
    np.testing.assert_allclose(gradient[1], 2 * table[index] ** 2 * weight)
    bw.check_grads(gathered)(table, index, weight)


def test_attributes_are_plain_data():
    found = bw.trace(
        lambda x: powered(x, n=np.int64(3), scale=np.float64(2), labels=["a", (1, None)]), x
    )
    assert found.nodes[1].attributes == {"n": 3, "scale": 2.0, "labels": ("a", (1, None))}
    assert type(found.nodes[1].attributes["scale"]) is float
    v = np.ones(5)
    np.testing.assert_allclose(
        bw.hvp(lambda x: np.sum(powered(x, n=3, labels=["a", ["b"]])))(x, v), 6 * x
    )
    for given in (np.ones(3), {1, 2}, object(), 1j, {"a": 1}):
        with pytest.raises(bw.errors.ArgumentError, match=r"labels= is .*plain data"):
            bw.trace(lambda x: powered(x, labels=given), x)  # noqa: B023
    with pytest.raises(bw.errors.ArgumentError, match=r"n= is Traced"):
        bw.grad(lambda x: np.sum(powered(x, n=x)))(x)


# Without arrays.


def test_shape_and_work_are_found_by_tracing_it():
    graph = bw.trace(lambda x: np.sum(cube(x)), bw.Shape((300, 200), "f4"))
    assert (graph.nodes[1].shape, graph.nodes[1].dtype) == ((300, 200), np.float32)
    power = bw.trace(lambda x: x**3, bw.Shape((300, 200), "f4"))
    assert graph.work(1).flops == power.work(power.output).flops
    assert graph.work(1).bytes == 2 * 300 * 200 * 4
    assert bw.gradient_network(graph).num_nodes > 0


def test_shape_and_work_that_are_given_are_taken():
    graph = bw.trace(lambda x: np.sum(by_scipy(x)), bw.Shape((300, 200)))
    assert graph.nodes[1].shape == (300, 200)
    assert graph.work(1).flops == 50 * 300 * 200
    assert bw.hvp_network(graph).num_edges > 0
    assert bw.plan(graph, 2).partitions == 2


def test_what_cannot_be_traced_says_what_to_give():
    with pytest.raises(bw.errors.ShapeError, match=r"opaque is not known without.*shape=lambda"):
        bw.trace(lambda x: np.sum(opaque(x)), bw.Shape(5))
    graph = bw.trace(lambda x: np.sum(opaque(x)), x)  # with arrays it runs,
    assert graph.work(1).flops == 5  # counted as one operation an entry


def test_a_number_beside_a_node_decides_no_dtype():
    @bw.primitive(name="scaled")
    def scaled(z, by):
        return z * by

    scaled.message(lambda S, u, z, by: S * by, None)
    graph = bw.trace(lambda x: scaled(x, 2.5), bw.Shape(3, "f4"))
    assert graph.nodes[graph.output].dtype == np.float32
    assert bw.trace(lambda x: scaled(x, 2.5), np.ones(3, "f4")).nodes[-1].dtype == np.float32


# Files.

MODULE = """
import numpy as np
import backwave as bw


@bw.primitive
def softplus(z):
    return np.logaddexp(0.0, z)


@softplus.message
def _(S, u, z):
    return S / (1.0 + np.exp(-z))


def loss(x):
    return np.sum(softplus(x) ** 2)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    name = "a_users_module"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)
    TABLE.pop(f"{name}:softplus", None)


def test_a_file_holds_the_name_and_importing_the_module_heals_what_is_unknown(module, tmp_path):
    loss = importlib.import_module(module).loss
    graph = bw.trace(loss, x)
    reference = bw.backward(graph, x)
    np.testing.assert_allclose(
        reference.grads[0], 2 * np.logaddexp(0, x) * special.expit(x), rtol=1e-12
    )
    graph.save(tmp_path / "graph")
    del sys.modules[module]
    del TABLE[f"{module}:softplus"]
    with pytest.raises(bw.errors.UnknownPrimitiveError) as caught:
        bw.Graph.load(tmp_path / "graph")
    assert "no primitive softplus of a_users_module here; import a_users_module" in str(
        caught.value
    )
    assert "a_users_module.py:" in str(caught.value)
    loss = importlib.import_module(module).loss
    read = bw.Graph.load(tmp_path / "graph")
    assert_same_bits(bw.backward(read, x), reference)
    bw.hvp_network(read).save(tmp_path / "product")
    product = bw.Graph.load(tmp_path / "product")
    assert bits(bw.backward(product, x, x).grads) == bits(bw.hvp(loss)(x, x))


def test_loading_runs_nothing_of_the_users(module, tmp_path):
    bw.trace(importlib.import_module(module).loss, x).save(tmp_path / "graph")
    code = (
        "import sys, backwave as bw\n"
        f"try: bw.Graph.load({str(tmp_path / 'graph')!r})\n"
        "except bw.errors.UnknownPrimitiveError: print('a_users_module' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert answer.stdout.split() == ["False"]


# Where workers import it from.


def test_sources_are_the_modules_and_their_folders(module, tmp_path):
    graph = bw.trace(importlib.import_module(module).loss, x)
    assert sources(graph) == ((module, str(tmp_path.resolve())),)
    assert sources(bw.hvp_network(graph)) == sources(graph)
    assert sources(bw.trace(np.tanh, x)) == ()
    (found,) = sources(bw.trace(cube, x))
    assert found[0] == HERE
    assert importlib.import_module(HERE).__file__.startswith(found[1])


def test_a_worker_imports_them(module, tmp_path):
    graph = bw.trace(importlib.import_module(module).loss, x)
    given = sources(graph)
    del sys.modules[module]
    del TABLE[f"{module}:softplus"]
    import_sources(given)
    assert f"{module}:softplus" in TABLE
    with pytest.raises(
        bw.errors.UnknownPrimitiveError, match=r"could not import not_there.*PYTHON"
    ):
        import_sources([("not_there", "")])


def test_what_workers_cannot_import_is_refused_with_the_line():
    @bw.primitive
    def local(z):
        return z * 1.0

    local.message(lambda S, u, z: S)
    graph = bw.trace(lambda x: np.sum(local(x)), x)
    match = r"test_user_primitive\.py:\d+: .*inside a function; put it at the top of a module"
    with pytest.raises(bw.errors.UnknownPrimitiveError, match=match):
        sources(graph)
    # In this process it is of use as it is.
    assert_same_bits(bw.run_locally(bw.plan(graph, 2), x), bw.backward(graph, x))


def test_what_is_defined_in_the_program_that_runs_is_refused():
    @bw.primitive(name="__main__:mine")
    def mine(z):
        return z * 1.0

    mine.message(lambda S, u, z: S)
    with pytest.raises(bw.errors.UnknownPrimitiveError, match="in the program that runs"):
        sources(bw.trace(lambda x: np.sum(mine(x)), x))


# Mistakes.


def returning(value, name):
    f = bw.primitive(lambda z: value, name=name)
    f.message(lambda S, u, z: S)
    return bw.grad(lambda x: np.sum(f(x)))(x)


def sending(value):
    f = bw.primitive(lambda z: np.sum(z), name="sends_nonsense")
    f.message(lambda S, u, z: value)
    return bw.grad(f)(x)


def two_inputs_one_message():
    f = bw.primitive(lambda a, b: a * b, name="half_done")
    f.message(lambda S, u, a, b: S * b)
    return bw.grad(lambda x: np.sum(f(x, x)))(x)


def shaped(shape):
    f = bw.primitive(lambda z: z, name="badly_shaped", shape=shape)
    f.message(lambda S, u, z: S)
    return bw.trace(f, bw.Shape(3))


MISTAKES = {
    "no message": (
        lambda: bw.grad(without_message)(1.0),
        r"no messages.*@without_message\.message",
    ),
    "no message, and arrays": (lambda: without_message(1.0), r"@without_message\.message"),
    "a message too few": (two_inputs_one_message, "2 inputs and 1 messages"),
    "an input too many": (lambda: bw.grad(lambda x: np.sum(cube(x, x)))(x), "2 inputs and 1 mess"),
    "returns None": (lambda: returning(None, "a"), "returned NoneType"),
    "returns a list": (lambda: returning([1.0], "b"), "returned list"),
    "returns a pair": (lambda: returning((x, x), "c"), "returned tuple"),
    "sends None": (lambda: sending(None), "to input 0 is NoneType"),
    "sends another shape": (
        lambda: sending(np.ones(9)),
        r"has shape \(9,\); it can have that of u",
    ),
    "a message no function": (lambda: cube.message(3), "a function or None, not 3"),
    "no function": (lambda: bw.primitive(3), "takes a function, not 3"),
    "a lambda": (lambda: bw.primitive(lambda z: z), "has no name that graphs could use"),
    "a partial": (lambda: bw.primitive(partial(np.add, 1)), "has no name that graphs could use"),
    "a ufunc": (lambda: bw.primitive(special.expit), "has no name that graphs could use"),
    "a shape no Shape": (lambda: shaped(lambda z: z.shape), "gave tuple; it gives bw.Shape"),
    "an unknown attribute": (lambda: bw.trace(lambda x: powered(x, k=1), x), "argument 'k'"),
}


@pytest.mark.parametrize(("call", "match"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_clear_error(call, match):
    with pytest.raises(bw.errors.BackwaveError, match=match):
        call()


def test_numbers_are_values_and_messages_too():
    f = bw.primitive(lambda z: 3.0, name="three")
    f.message(lambda S, u, z: 2.0)
    assert bw.value_and_grad(f)(1.0) == (3.0, 2.0)
    np.testing.assert_array_equal(bw.grad(f)(x), np.full(5, 2.0))


def test_a_users_own_exception_is_his_own():
    f = bw.primitive(lambda z: 1 // 0, name="divides")
    f.message(lambda S, u, z: S)
    with pytest.raises(ZeroDivisionError):
        bw.grad(f)(1.0)


def test_one_that_was_defined_again_is_not_mixed_up_with_the_new_one():
    def make(factor):
        @bw.primitive
        def scaled(z):
            return factor * z

        scaled.message(lambda S, u, z: factor * S)
        return scaled

    first = make(2.0)
    assert bw.grad(first)(1.0) == 2.0
    second = make(3.0)
    assert bw.grad(second)(1.0) == 3.0
    with pytest.raises(bw.errors.ArgumentError, match="another primitive has been defined as"):
        bw.grad(first)(1.0)
