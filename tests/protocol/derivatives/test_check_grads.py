"""A wrong message is found, in each mode and order, and a right one passes."""

from dataclasses import dataclass

import numpy as np
import pytest

import backwave as bw

x = np.array([0.3, -0.8, 1.1])


@bw.primitive
def right(z):
    return np.sin(z) * z


@right.message
def _(S, u, z):
    return S * (np.cos(z) * z + np.sin(z))


@bw.primitive
def wrong(z):
    return z**3


@wrong.message
def _(S, u, z):
    return S * 2 * z**2


@bw.primitive
def wrong_at_second_order(z):
    """Its message is right, and the message of that is not: it was cut off."""
    return z**3


@wrong_at_second_order.message
def _(S, u, z):
    return S * 3 * z * flat(z)


@bw.primitive
def flat(z):
    return z * 1.0


@flat.message
def _(S, u, z):
    return S * 0.0


@bw.primitive
def transposed(z):
    """Right in the mean of directions only: the message goes to the wrong entries."""
    return np.exp(z)


@transposed.message
def _(S, u, z):
    return (S * u)[::-1]


def test_what_is_right_passes():
    for order in (1, 2, 3):
        assert bw.check_grads(right, order=order)(x) is None
        assert bw.check_grads(right)(x, order=order) is None
    bw.check_grads(lambda x: np.sum(np.tanh(x) ** 2))(x)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("f", [wrong, transposed], ids=["wrong", "transposed"])
def test_a_wrong_message_is_found_in_either_mode(f, mode):
    with pytest.raises(bw.errors.GradientError, match=rf"^{f.__name__}, {mode}: along a random"):
        bw.check_grads(f, order=1, modes=(mode,))(x)
    with pytest.raises(AssertionError, match=r"by finite differences -?\d"):
        bw.check_grads(f, order=1, modes=mode)(x)


@pytest.mark.parametrize("first", ["forward", "reverse"])
def test_a_wrong_second_derivative_is_found_where_the_first_is_right(first):
    bw.check_grads(wrong_at_second_order, order=1)(x)
    found = rf"^the {first} derivative of wrong_at_second_order, {first}: "
    with pytest.raises(bw.errors.GradientError, match=found):
        bw.check_grads(wrong_at_second_order, order=2, modes=(first,))(x)
    with pytest.raises(bw.errors.GradientError):
        bw.check_grads(wrong_at_second_order)(x)


def test_the_order_may_be_given_at_either_place_and_the_later_counts():
    check = bw.check_grads(wrong_at_second_order, order=2)
    check(x, order=1)
    with pytest.raises(bw.errors.GradientError):
        check(x)
    with pytest.raises(bw.errors.GradientError):
        bw.check_grads(wrong_at_second_order, order=1)(x, order=2)


def test_the_error_has_both_slopes_and_the_seed():
    with pytest.raises(bw.errors.GradientError) as caught:
        bw.check_grads(wrong, order=1, seed=5)(2.0)
    text = str(caught.value)
    assert "(seed 5)" in text
    ours, theirs = (
        float(part.split()[0].rstrip(","))
        for part in text.split("slope is ")[1].split("by finite differences ")
    )
    assert ours / theirs == pytest.approx(2 / 3, rel=1e-6)
    with pytest.raises(bw.errors.GradientError) as again:
        bw.check_grads(wrong, order=1, seed=5)(2.0)
    assert str(again.value) == text  # the same directions


def test_pytrees_integers_and_several_outputs():
    @dataclass
    class Model:
        w: np.ndarray
        kind: str
        power: int

    def f(model, t, n):
        assert model.kind == "kept"
        return {"a": model.w**model.power * t[0], "n": n + 1, "s": [np.sum(t[1]), t[1] * n]}

    bw.check_grads(f)(Model(x, "kept", 3), (2.0, np.ones(2)), np.arange(2))

    def bad(model, t):
        return {"fine": model.w * 2, "bad": wrong(t)}

    with pytest.raises(bw.errors.GradientError):
        bw.check_grads(bad, order=1)(Model(x, "kept", 3), 1.5)


def test_complex_functions():
    z = np.array([0.4 + 0.2j, -0.3 + 0.9j])
    bw.check_grads(lambda z: z**2 * np.exp(z))(z)
    bw.check_grads(lambda z: np.abs(z) ** 2)(z)
    bw.check_grads(lambda z: np.conjugate(z) * z)(z)
    bw.check_grads(lambda z, x: np.real(z) * np.imag(z) * x)(z, np.ones(2))
    bw.check_grads(lambda x: np.sum(np.exp(1j * x)))(x)

    @bw.primitive(name="conjugated_by_mistake")
    def square(z):
        return z * z

    square.message(lambda S, u, z: S * 2 * np.conjugate(z))
    with pytest.raises(bw.errors.GradientError):
        bw.check_grads(square, order=1)(z)


def test_single_precision_is_checked_in_double():
    bw.check_grads(lambda x: np.sum(np.exp(x)))(x.astype(np.float32))


def test_a_nan_is_no_agreement():
    with np.errstate(all="ignore"), pytest.raises(bw.errors.GradientError, match="nan"):
        bw.check_grads(lambda x: np.log(x), order=1)(np.array([-1.0]))


def test_a_tolerance():
    @bw.primitive(name="a_little_off")
    def f(z):
        return z**2

    f.message(lambda S, u, z: S * 2.001 * z)
    bw.check_grads(f, order=1, tolerance=1e-2)(x)
    with pytest.raises(bw.errors.GradientError):
        bw.check_grads(f, order=1)(x)


MISTAKES = {
    "mode": (lambda: bw.check_grads(np.sin, modes=("fwd",)), "no mode 'fwd'"),
    "a mode as text": (lambda: bw.check_grads(np.sin, modes="fwd"), "no mode 'fwd'"),
    "no modes": (lambda: bw.check_grads(np.sin, modes=()), "modes is empty"),
    "order 0": (lambda: bw.check_grads(np.sin, order=0)(x), "order=0"),
    "order text": (lambda: bw.check_grads(np.sin)(x, order="2"), "order='2'"),
    "order 1.5": (lambda: bw.check_grads(np.sin)(x, order=1.5), "order=1.5"),
    "integers": (lambda: bw.check_grads(np.sin)(np.arange(3)), "no floating-point argument"),
    "nothing": (lambda: bw.check_grads(np.sin)(), "no floating-point argument"),
    "returns None": (lambda: bw.check_grads(lambda x: None)(x), "returned NoneType"),
    "returns text": (lambda: bw.check_grads(lambda x: "a")(x), "returned str"),
    "returns integers": (lambda: bw.check_grads(np.argmax)(x), "argmax returned int64"),
}


@pytest.mark.parametrize(("call", "match"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_clear_error(call, match):
    with pytest.raises(bw.errors.ArgumentError, match=match):
        call()
