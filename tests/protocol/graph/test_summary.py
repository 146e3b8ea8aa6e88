"""The table of a network: what it says is so, and it fits the screen."""

import re

import numpy as np
import pytest

import backwave as bw
from backwave.protocol.graph.summary import ROWS, WIDTH, summary

from ...networks import EXAMPLES, example


def loss(w, x):
    hidden = np.tanh(x @ w)
    return np.sum(hidden**2)


def test_what_it_says_by_hand(capsys):
    graph = bw.trace(loss, bw.Shape((3, 2)), bw.Shape((5, 3)), argnums=0)
    assert graph.summary() is None
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0] == "loss: V=5 E=4 levels=5"
    rows = {line.split()[0]: line for line in lines}
    here = loss.__code__.co_firstlineno
    assert re.search(
        rf"^matmul:2\s+1, 0\s+float64\[5,2\]\s+60\s+test_summary…:{here + 1}$", rows["matmul:2"]
    )
    assert f"test_summary…:{here + 2}" in next(line for line in lines if "power" in line)
    assert rows["args[0]:0"].split()[1] == "float64[3,2]"
    assert rows["args[1]:1"].split()[1] == "·"  # on no path to what is differentiated
    assert "6 nodes and 1 constants" in text
    flops = sum(graph.work(u).flops for u in range(len(graph.nodes)))
    moved = sum(graph.work(u).bytes for u in range(len(graph.nodes)))
    assert f"{flops:,} flops and moves {moved:,} bytes" in text
    assert "most: matmul 1, tanh 1, power 1, sum 1" in text


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_every_example_fits_80_columns(path):
    graph, _ = example(path)
    for network in (graph, bw.gradient_network(graph)):
        lines = summary(network).splitlines()
        assert max(map(len, lines)) <= WIDTH == 80
        assert len(lines) <= ROWS + 10


def test_a_long_network_is_cut_in_the_middle():
    def chain(x):
        for _ in range(500):
            x = np.sin(x)
        return x

    lines = summary(bw.trace(chain, 1.0)).splitlines()
    assert "... 441 more" in lines
    assert sum(line.startswith("sin:") for line in lines) == ROWS - 1
    assert any(line.startswith("sin:500") for line in lines)
    assert "most: sin 500" in lines


def test_long_names_shapes_and_numbers_fit():
    def a_function_with_a_name_that_is_far_longer_than_anybody_would_like_to_type_or_read(t):
        x = t["a key of many letters, which is also rather long"]
        y = np.concatenate([x] * 12)
        return np.sum(np.einsum("abcdef->a", y) * 2.0)

    tree = {"a key of many letters, which is also rather long": bw.Shape((900,) * 6)}
    f = a_function_with_a_name_that_is_far_longer_than_anybody_would_like_to_type_or_read
    text = summary(bw.trace(f, tree))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "…" in text


def test_networks_of_nothing_but_leaves_and_constants():
    for graph in (bw.trace(lambda x: x, 1.0), bw.trace(lambda x: 3.0, 1.0)):
        assert max(map(len, summary(graph).splitlines())) <= WIDTH
    assert "V=0 E=0 levels=0" in summary(bw.trace(lambda x: 3.0, 1.0))


def test_several_outputs():
    graph = bw.trace(lambda x: (x, np.sin(x)), np.ones(3))
    assert "sin 1" in summary(graph)
