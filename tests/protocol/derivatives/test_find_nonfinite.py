"""The first NaN or infinity of a pass, up or back."""

import numpy as np
import pytest

import backwave as bw


def f(x, y):
    r = x * y
    d = np.sqrt(r)
    return np.sum(np.log(d) * 2)


def lines_of(code):
    return code.co_firstlineno


def test_a_pass_without_any_finds_none():
    graph = bw.trace(f, np.ones(3), np.ones(3))
    assert bw.find_nonfinite(graph, np.ones(3), np.ones(3)) is None


def test_the_first_value_on_the_way_up():
    graph = bw.trace(f, np.ones(3), np.ones(3))
    found = bw.find_nonfinite(graph, np.array([1.0, 0.0, 4.0]), np.ones(3))
    assert (found.node.primitive, found.kind, found.what) == ("log", "infinity", "value")
    (name,) = found.ranges
    assert name.startswith("sqrt")
    assert found.ranges[name] == "in [0, 2]"
    line = f.__code__.co_firstlineno + 3
    assert found.line.endswith(f"test_find_nonfinite.py:{line}")
    assert str(found).startswith(found.line)
    assert "infinity arose in the value of log" in str(found)
    found = bw.find_nonfinite(graph, -np.ones(3), np.ones(3))
    assert (found.node.primitive, found.kind) == ("sqrt", "NaN")
    assert list(found.ranges.values()) == ["in [-1, -1]"]


def test_a_message_on_the_way_back():
    graph = bw.trace(lambda x: np.sum(np.sqrt(x)), np.ones(2))
    found = bw.find_nonfinite(graph, np.array([0.0, 1.0]))
    assert found.node.primitive == "sqrt"
    assert found.what == "message to args[0]"
    assert found.kind == "infinity"
    assert "arose in the message to args[0] of sqrt" in str(found)


def test_a_leaf_that_is_not_finite_is_itself_the_place():
    graph = bw.trace(f, np.ones(3), np.ones(3))
    found = bw.find_nonfinite(graph, np.array([1.0, np.nan, 1.0]), np.ones(3))
    assert (found.node.name, found.kind, found.line, found.ranges) == ("args[0]", "NaN", "", {})
    assert str(found) == "NaN arose in the value of args[0]"


def test_integers_empty_and_complex_values():
    graph = bw.trace(lambda x, n: np.sum(np.abs(x / n)), np.ones(2) + 1j, np.arange(1, 3))
    found = bw.find_nonfinite(graph, np.ones(2) + 1j, np.array([0, 1]))
    assert found.node.primitive == "divide"
    assert found.ranges == {"args[0]": "of magnitude up to 1.41421", "args[1]": "in [0, 1]"}
    empty = bw.trace(lambda x: np.sum(np.log(x)), np.ones(0))
    assert bw.find_nonfinite(empty, np.ones(0)) is None


def test_a_constant_that_is_not_finite_shows_where_it_is_used():
    graph = bw.trace(lambda x: np.sum(x + np.array([np.inf, 0])), np.ones(2))
    assert bw.find_nonfinite(graph, np.ones(2)).node.primitive == "add"


def test_the_network_of_a_hessian_product_can_be_looked_through():
    graph = bw.hvp_network(bw.trace(lambda x: np.sum(np.sqrt(x)), np.ones(2), argnums=0))
    assert bw.find_nonfinite(graph, np.ones(2), np.ones(2)) is None
    assert bw.find_nonfinite(graph, np.zeros(2), np.ones(2)).kind in ("infinity", "NaN")


def test_numpys_own_settings_are_left_as_they_were():
    graph = bw.trace(lambda x: np.sum(np.log(x)), np.ones(2))
    with np.errstate(all="raise"):
        assert bw.find_nonfinite(graph, np.zeros(2)).node.primitive == "log"
        assert np.geterr()["divide"] == "raise"


def test_mistakes():
    graph = bw.trace(np.sin, np.ones(2))
    with pytest.raises(bw.errors.NotScalarError):
        bw.find_nonfinite(graph, np.ones(2))
    with pytest.raises(bw.errors.ArgumentError, match="a graph is needed"):
        bw.find_nonfinite(f, np.ones(3), np.ones(3))
    graph = bw.trace(f, np.ones(3), np.ones(3))
    with pytest.raises(bw.errors.ArgumentError, match="2 arguments"):
        bw.find_nonfinite(graph, np.ones(3))
