"""Graphs in files: what is saved loads, with no code run, and bad files say what is wrong."""

import pickle
import random
import sys
from pathlib import Path

import numpy as np
import pytest

import backwave as bw
from backwave.protocol import graph_file, wire
from backwave.protocol.errors import (
    BackwaveError,
    CycleError,
    ShapeError,
    UnknownPrimitiveError,
    WireError,
)
from backwave.scripts.load import load_target

from .test_wire import sealed

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


def small(x, w):
    a = np.tanh(x @ w)
    b = a * a
    return np.sum(b[::2, [0, 1, 1]] + 0.5)


ARGS = np.ones((4, 3)) / 3, np.ones((3, 2)) / 7


@pytest.fixture
def path(tmp_path):
    return tmp_path / "graph.bw"


def edited(path, edit):
    """Save the small graph with its header edited, the checksum fitting."""
    header, arrays = wire.unpack(graph_file.to_bytes(bw.trace(small, *ARGS)))
    header["nodes"] = [list(node) for node in header["nodes"]]
    edit(header)
    path.write_bytes(wire.pack(header, arrays))
    return path


def node(header, primitive):
    """The last node of a primitive: [primitive, inputs, attributes, shape, dtype, line, name]."""
    return next(n for n in reversed(header["nodes"]) if n[0] == primitive)


def place(header, primitive):
    return header["nodes"].index(node(header, primitive))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_a_loaded_graph_gives_the_same_bits(path, example):
    target = load_target(str(example))
    graph = bw.trace(target.function, *target.args, argnums=0)
    graph.save(path)
    loaded = bw.Graph.load(path)
    assert [(n.name, n.line, n.shape) for n in loaded.nodes] == [
        (n.name, n.line, n.shape) for n in graph.nodes
    ]
    ours, theirs = bw.backward(loaded, *target.args), bw.backward(graph, *target.args)
    assert ours.value.tobytes() == theirs.value.tobytes()
    for u in theirs.S:
        assert ours.S[u].tobytes() == theirs.S[u].tobytes()


def test_guards_and_weak_scalars_survive(path):
    graph = bw.trace(lambda x: x * 2 if x > 0 else x * 3, np.float32(1))
    graph.save(path)
    loaded = bw.Graph.load(path)
    result = bw.backward(loaded, np.float32(2))
    assert result.value.dtype == np.float32
    with pytest.raises(bw.errors.GuardError):
        bw.backward(loaded, np.float32(-2))


def test_a_save_that_fails_leaves_the_old_file(path, monkeypatch):
    bw.trace(small, *ARGS).save(path)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        bw.trace(np.tanh, 1.0).save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_cycle_is_named(path):
    def edit(header):
        tanh, multiply = place(header, "tanh"), place(header, "multiply")
        header["nodes"][tanh][1] = (multiply,)

    with pytest.raises(CycleError) as caught:
        bw.Graph.load(edited(path, edit))
    text = str(caught.value)
    cycle = text[text.index(": ") + 2 : text.index(";")].split(" -> ")
    assert cycle[0] == cycle[-1]
    assert {name.partition(":")[0] for name in cycle} == {"tanh", "multiply"}


def test_a_self_loop_is_named(path):
    def edit(header):
        header["nodes"][place(header, "tanh")][1] = (place(header, "tanh"),)

    with pytest.raises(CycleError, match=r"tanh:\d+ -> tanh:\d+;"):
        bw.Graph.load(edited(path, edit))


def test_an_unknown_primitive_is_named_with_how_to_add_it(path):
    def edit(header):
        node(header, "tanh")[0] = "soft_clip"

    with pytest.raises(UnknownPrimitiveError, match=r"test_graph_file\.py:\d+.*soft_clip.*define"):
        bw.Graph.load(edited(path, edit))


def swap_order(header):
    header["nodes"][place(header, "sum")][1] = (len(header["nodes"]),)


def change(primitive, field, value):
    def edit(header):
        node(header, primitive)[field] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "error", "complaint"),
    [
        (swap_order, WireError, "there is no such node"),
        (change("tanh", 3, (4, 9)), ShapeError, r"test_graph_file\.py:\d+.*tanh"),
        (change("tanh", 4, "<f4"), ShapeError, "said to be float32"),
        (change("tanh", 4, "O"), WireError, "damaged"),
        (change("tanh", 2, {"axis": 1}), WireError, "tanh.*damaged"),
        (change("sum", 2, {}), WireError, "sum.*damaged"),
        (change("sum", 2, {"axis": "x", "keepdims": False}), WireError, "damaged"),
        (change("matmul", 1, (1, 0)), ShapeError, "inner lengths"),
        (change("leaf", 1, (0,)), WireError, "with 1 inputs"),
        (lambda header: header.update(output=99), WireError, "no node 99"),
        (lambda header: header.update(leaves=()), WireError, "leaves"),
        (lambda header: header.update(constants=()), WireError, "damaged"),
        (lambda header: header.update(argnums=7), WireError, "argnums"),
        (lambda header: header.pop("guards"), WireError, "damaged"),
        (lambda header: header.update(format="frame"), WireError, "not a graph"),
    ],
)
def test_a_damaged_graph_says_what_is_wrong(path, edit, error, complaint):
    with pytest.raises(error, match=complaint):
        bw.Graph.load(edited(path, edit))


class Bomb:
    def __reduce__(self):
        return sys.exit, ("the bomb went off",)


def test_no_code_runs_on_loading(path):
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(WireError, match="foreign"):
        bw.Graph.load(path)


def test_mutated_files_raise_our_errors_only(path):
    seed = 1974
    source = random.Random(seed)
    original = graph_file.to_bytes(bw.trace(small, *ARGS))
    for index in range(5_000):
        data = bytearray(original)
        for _ in range(source.randint(1, 4)):
            data[source.randrange(len(data))] = source.randrange(256)
        if source.random() < 0.2:
            del data[source.randrange(len(data)) :]
        path.write_bytes(sealed(bytes(data)) if index % 2 else data)
        try:
            bw.Graph.load(path)
        except BackwaveError:
            continue
        except BaseException as error:
            pytest.fail(f"seed {seed}, mutation {index}: {type(error).__name__} {error}")
