"""Graphs in files: what is saved loads, with no code run, and bad files say what is wrong."""

import inspect
import io
import pickle
import random
import sys
from collections import Counter
from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import given

import backwave as bw
from backwave.protocol import wire
from backwave.protocol.errors import (
    BackwaveError,
    CycleError,
    ShapeError,
    UnknownPrimitiveError,
    WireError,
)
from backwave.protocol.graph.file import require_attributes
from backwave.protocol.message import Frame
from backwave.protocol.parts import Node
from backwave.protocol.rules import TABLE, Abstract

from ...networks import EXAMPLES, assert_same_bits, bits, example, networks
from ..test_wire import sealed


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
    header, arrays = wire.unpack(bw.trace(small, *ARGS).to_bytes())
    header["nodes"] = [list(node) for node in header["nodes"]]
    edit(header)
    path.write_bytes(wire.pack(header, arrays))
    return path


def node(header, primitive):
    """The last node of a primitive: [primitive, inputs, attributes, shape, dtype, line, name]."""
    return next(n for n in reversed(header["nodes"]) if n[0] == primitive)


def place(header, primitive):
    return header["nodes"].index(node(header, primitive))


def is_array(value):
    return isinstance(value, np.ndarray | np.generic)


def described(graph):
    """All that a graph says of itself."""
    return (
        [(n.id, n.primitive, n.inputs, n.attributes, n.shape, n.dtype) for n in graph.nodes],
        [(n.name, n.line) for n in graph.nodes],
        {u: (type(c), repr(c), bits(c)) for u, c in graph.constants.items() if is_array(c)},
        {u: (type(c), repr(c)) for u, c in graph.constants.items() if not is_array(c)},
        (graph.leaves, graph.guards, graph.output, graph.arguments, graph.argnums, graph.name),
    )


@pytest.mark.parametrize("source", EXAMPLES, ids=lambda source: source.stem)
def test_a_loaded_graph_gives_the_same_bits(path, source):
    graph, args = example(source)
    graph.save(path)
    loaded = bw.Graph.load(path)
    assert described(loaded) == described(graph)
    assert loaded.edges == graph.edges
    assert_same_bits(bw.backward(loaded, *args), bw.backward(graph, *args))


@given(networks(max_steps=20))
def test_a_random_network_that_is_loaded_gives_the_same_bits(tmp_path_factory, network):
    graph, args = network
    path = tmp_path_factory.getbasetemp() / "random.bw"
    graph.save(path)
    loaded = bw.Graph.load(path)
    assert described(loaded) == described(graph)
    assert_same_bits(bw.backward(loaded, *args), bw.backward(graph, *args))


def test_a_long_constant_sums_to_the_same_bits_when_it_is_loaded(path):
    constant = np.random.default_rng(3).normal(size=100_001)
    graph = bw.trace(lambda x: np.sum(x) * np.sum(x * constant), np.ones(100_001))
    graph.save(path)
    args = (np.linspace(0, 1, 100_001),)
    assert_same_bits(bw.backward(bw.Graph.load(path), *args), bw.backward(graph, *args))


SCALARS = [2, 0.1, -0.0, True, 1j, 2**62, 2**63, -(2**63) - 1, 2**300]
SCALARS += [np.float64(0.1), np.float32(0.1), np.complex128(1j), np.array([0.5, 2.0])]


@pytest.mark.parametrize("scalar", SCALARS, ids=repr)
def test_a_constant_comes_back_as_what_it_was(path, scalar):
    """A Python number decides no dtype, and np.float64, which is one too, does."""
    graph = bw.trace(lambda x: np.sum(np.absolute(x * scalar)), np.ones(2))
    graph.save(path)
    loaded = bw.Graph.load(path)
    (constant,) = loaded.constants.values()
    assert type(constant) is type(scalar)
    assert repr(constant) == repr(scalar)
    assert described(loaded) == described(graph)
    assert_same_bits(bw.backward(loaded, np.ones(2)), bw.backward(graph, np.ones(2)))


@pytest.mark.parametrize("mask", [True, np.array(True), np.array([True, False, True])], ids=repr)
def test_a_mask_is_loaded(path, mask):
    graph = bw.trace(lambda x: np.sum(x[mask] ** 2), np.arange(3.0))
    graph.save(path)
    args = (np.linspace(1, 2, 3),)
    assert_same_bits(bw.backward(bw.Graph.load(path), *args), bw.backward(graph, *args))


def test_a_file_that_is_not_there(path):
    with pytest.raises(FileNotFoundError):
        bw.Graph.load(path)


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


def test_a_long_cycle_is_named_in_its_order(path):
    def chain(x):
        for _ in range(6):
            x = np.tanh(x)
        return np.sum(x)

    header, arrays = wire.unpack(bw.trace(chain, 1.0).to_bytes())
    header["nodes"] = [list(node) for node in header["nodes"]]
    header["nodes"][2][1] = (5,)  # the second tanh, fed by the fifth
    path.write_bytes(wire.pack(header, arrays))
    with pytest.raises(CycleError) as caught:
        bw.Graph.load(path)
    cycle = str(caught.value).partition(": ")[2].partition(";")[0].split(" -> ")
    assert cycle[0] == cycle[-1]
    first = cycle.index("tanh:2")
    assert cycle[first:-1] + cycle[:first] == ["tanh:2", "tanh:3", "tanh:4", "tanh:5"]


def test_a_self_loop_is_named(path):
    def edit(header):
        header["nodes"][place(header, "tanh")][1] = (place(header, "tanh"),)

    with pytest.raises(CycleError, match=r"tanh:\d+ -> tanh:\d+;"):
        bw.Graph.load(edited(path, edit))


def test_an_unknown_primitive_is_named_with_how_to_add_it(path):
    def edit(header):
        node(header, "tanh")[0] = "soft_clip"

    match = r"test_graph_file\.py:\d+.*soft_clip.*bw\.primitive"
    with pytest.raises(UnknownPrimitiveError, match=match):
        bw.Graph.load(edited(path, edit))


def dangle(header):
    header["nodes"][place(header, "sum")][1] = (len(header["nodes"]),)


def dangle_below(header):
    header["nodes"][place(header, "sum")][1] = (-1,)


def swap_order(header):
    """Exchange the constant 0.5 and the sum of it, which is no cycle."""
    half, u = place(header, "constant"), place(header, "add")
    nodes = header["nodes"]
    nodes[half], nodes[u] = nodes[u], nodes[half]
    new = {half: u, u: half}
    for each in nodes:
        each[1] = tuple(new.get(z, z) for z in each[1])
    header["constants"] = tuple((new.get(u, u), weak) for u, weak in header["constants"])


def leaf(**changes):
    """Change the first leaf: [node, argument, path, differentiated]."""

    def edit(header):
        fields = dict(zip(("node", "argument", "path", "varies"), header["leaves"][0], strict=True))
        header["leaves"] = (tuple({**fields, **changes}.values()), *header["leaves"][1:])

    return edit


def constant(weak):
    def edit(header):
        header["constants"] = tuple((u, weak) for u, _ in header["constants"])

    return edit


def change(primitive, field, value):
    def edit(header):
        node(header, primitive)[field] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "error", "complaint"),
    [
        (dangle, WireError, r"sum:\d+ has input \d+, and there is no such node"),
        (dangle_below, WireError, r"has input -1, and there is no such node"),
        (swap_order, WireError, r"add:\d+ stands before one of its inputs"),
        (leaf(node=1), WireError, "the leaves are not the leaf nodes"),
        (leaf(node=2), WireError, "node 2 is no leaf"),
        (leaf(argument=2), WireError, r"leaf args\[0\] is damaged"),
        (leaf(varies=1), WireError, "neither true nor false"),
        (leaf(path=None), WireError, "None is no text"),
        (change("leaf", 4, "<i8"), WireError, r"leaf args\[1\] is damaged"),
        (constant(weak=True), WireError, "is not what its node says|damaged"),
        (constant(weak=0), WireError, "neither true nor false"),
        (change("tanh", 3, (4, 9)), ShapeError, r"test_graph_file\.py:\d+.*tanh"),
        (change("tanh", 4, "<f4"), ShapeError, "said to be float32"),
        (change("tanh", 4, "O"), WireError, "damaged"),
        (change("tanh", 2, {"axis": 1}), WireError, "tanh.*damaged"),
        (change("sum", 2, {}), WireError, "sum.*damaged"),
        (change("sum", 2, {"axis": "x", "keepdims": False}), WireError, "sum.*axis='x'"),
        (change("sum", 2, {"axis": None, "keepdims": 0}), WireError, "keepdims=0"),
        (
            change("sum", 2, {"axis": None, "keepdims": False, "out": 1}),
            WireError,
            r"test_graph_file\.py:\d+: sum.*axis, keepdims, out, and takes axis, keepdims",
        ),
        (change("sum", 2, {"axis": (0,), "keepdims": False}), ShapeError, "inputs make it"),
        (change("getitem", 2, {"index": (("slice", None, None, 0),)}), WireError, "index="),
        (change("getitem", 2, {"index": (("array", 1),)}), WireError, "index="),
        (change("getitem", 2, {"index": (("mask", 0, 1),)}), WireError, "index="),
        (change("getitem", 2, {"index": (("bogus",),)}), WireError, "index="),
        (change("getitem", 2, {"index": (0, 0, ("array", 0))}), ShapeError, "3 indices"),
        (change("matmul", 1, (1, 0)), ShapeError, "inner lengths"),
        (change("leaf", 1, (0,)), WireError, "with 1 inputs"),
        (lambda header: header.update(outputs=(99,)), WireError, "no node 99"),
        (lambda header: header.update(leaves=()), WireError, "leaves"),
        (lambda header: header.update(constants=()), WireError, "damaged"),
        (lambda header: header.update(argnums=7), WireError, "argnums"),
        (lambda header: header.pop("guards"), WireError, "damaged"),
        (lambda header: header.update(recomputed=((99,),)), WireError, "no node 99"),
        (lambda header: header.update(outputs=()), WireError, "no output"),
        (lambda header: header.update(format="frame"), WireError, "not a graph"),
    ],
)
def test_a_damaged_graph_says_what_is_wrong(path, edit, error, complaint):
    with pytest.raises(error, match=complaint):
        bw.Graph.load(edited(path, edit))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("sum", {"axis": (0, 1), "keepdims": True}, {"axis": [(2,), (-1,), (0, 0), 0, (0.0,)]}),
        ("max", {"axis": None, "keepdims": False}, {"keepdims": [None, 1, "x"]}),
        ("var", {"axis": (1,), "keepdims": False, "ddof": 1.0}, {"ddof": ["1", None, True]}),
        ("argmax", {"axis": 1, "keepdims": False}, {"axis": [(1,), 2, -1, True]}),
        ("astype", {"dtype": "<f4"}, {"dtype": ["O", "f4", "", 4, ("<f8",), []]}),
        ("reshape", {"shape": (3, 2)}, {"shape": [(-3, -2), 6, (6.0,), (2**48,)]}),
        ("transpose", {"axes": (1, 0)}, {"axes": [(0,), (0, 0), (1, 2), None, (True, False)]}),
        ("broadcast_to", {"shape": (4, 2, 3)}, {"shape": [(-1,), None, "23"]}),
        ("concatenate", {"axis": 1}, {"axis": [2, -1, None, True]}),
        ("stack", {"axis": 2}, {"axis": [3, -1, None, 0.0]}),
        (
            "getitem",
            {"index": (0, ("slice", None, 2, -1), ("newaxis",), ("ellipsis",))},
            {
                "index": [
                    0, (0.0,), (True,), ((),), ("slice",), (("slice", 1, 2),), (("newaxis", 0),),
                    (("ellipsis",), ("ellipsis",)), (("slice", 0, 2, 0),), (("slice", "0", 1, 1),),
                    (("array", 0),), (("array", -1),), (("array",),), (None,), ({},),
                    (("mask", 0, 1),), (("mask", 0),), (("mask",),),
                ]
            },
        ),
        ("scatter", {"index": (0,), "shape": (4, 2, 3)}, {"index": [None], "shape": [(-1,), 4]}),
    ],
)  # fmt: skip
def test_attributes_are_of_the_kinds_that_a_rule_takes(name, good, bad):
    z = Abstract((2, 3), np.dtype("f8"))

    def require(attributes):
        require_attributes(
            Node(7, name, (0,), attributes, (), z.dtype, "file.py:3"), TABLE[name], [z]
        )

    require(good)
    TABLE[name].shape(z, **good)
    for attribute, values in bad.items():
        for value in values:
            with pytest.raises(WireError, match=rf"file\.py:3: {name}:7 is damaged: {attribute}="):
                require({**good, attribute: value})
        with pytest.raises(WireError, match=f"and takes .*{attribute}"):
            require({key: value for key, value in good.items() if key != attribute})
    with pytest.raises(WireError, match="strange, and takes"):
        require({**good, "strange": 1})


def test_every_rule_with_attributes_says_of_what_kinds():
    for name, primitive in TABLE.items():
        if ":" in name:
            continue  # a user's, which another test has defined
        taken = {
            parameter.name
            for parameter in inspect.signature(primitive.shape).parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
        }
        assert primitive.takes is not None, name
        assert taken <= set(primitive.takes), name


class Bomb:
    """What ``pickle.load`` would run."""

    def __reduce__(self):
        return sys.exit, ("the bomb went off",)


def bombs():
    plain = pickle.dumps(Bomb())
    whole = wire.unpack(bw.trace(small, *ARGS).to_bytes())[0]
    archive = io.BytesIO()
    np.save(archive, np.array([Bomb()]), allow_pickle=True)
    return {
        "pickle": plain,
        "npy": archive.getvalue(),
        "in our bytes": b"backwave" + plain,
        "as the header": sealed(
            b"backwave\1\0" + len(plain).to_bytes(4, "little") + bytes(12) + plain
        ),
        "as the name": wire.pack({**whole, "name": plain}, []),
        "as an extension": wire.pack({**whole, "name": msgpack.ExtType(1, plain)}, []),
    }


@pytest.mark.parametrize("kind", bombs())
def test_no_code_runs_on_loading(path, kind):
    with pytest.raises(SystemExit):
        pickle.loads(pickle.dumps(Bomb()))
    path.write_bytes(bombs()[kind])
    with pytest.raises(WireError):
        bw.Graph.load(path)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "0 bytes are too few"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "foreign"),
        (b"PK\x03\x04" + bytes(60), "foreign"),
        (b"\x93NUMPY" + bytes(60), "foreign"),
        (b"backwave\x02\0" + bytes(60), "of version 2, and this backwave reads 1"),
    ],
)
def test_a_foreign_file_is_refused(path, data, complaint):
    path.write_bytes(data)
    with pytest.raises(WireError, match=complaint):
        bw.Graph.load(path)


def test_a_truncated_file_is_refused_wherever_it_ends(path):
    original = bw.trace(small, *ARGS).to_bytes()
    for length in range(0, len(original), 7):
        path.write_bytes(original[:length])
        with pytest.raises(WireError, match="truncated"):
            bw.Graph.load(path)


def test_a_frame_is_no_graph(path):
    path.write_bytes(Frame.of("backward", [(0, np.ones(3))]).to_bytes())
    with pytest.raises(WireError, match="these bytes are not a graph"):
        bw.Graph.load(path)


ODD = [None, True, -1, 0, 7, 2**40, 0.5, "", "sum", "<f4", b"", (), (0,), (99,), {}, {"axis": 0}]


def with_odd_part(source, header):
    """Put something odd somewhere into a header, at any depth."""
    holder, key = header, source.choice(list(header))
    while source.random() < 0.8:
        inner = holder[key]
        if isinstance(inner, tuple | list) and inner:
            holder[key] = list(inner)
            holder, key = holder[key], source.randrange(len(inner))
        elif isinstance(inner, dict) and inner:
            holder[key] = dict(inner)
            holder, key = holder[key], source.choice(list(inner))
        else:
            break
    holder[key] = source.choice(ODD)


def rewired(source, header):
    """Give some node other inputs."""
    nodes = header["nodes"] = [list(node) for node in header["nodes"]]
    node = source.choice([node for node in nodes if node[1]])
    node[1] = tuple(source.randrange(len(nodes)) for _ in node[1])


def mutated(source, original):
    header, arrays = wire.unpack(original)
    if source.random() < 0.5:
        if source.random() < 0.2:
            rewired(source, header)
        else:
            for _ in range(source.randint(1, 2)):
                with_odd_part(source, header)
        return wire.pack(header, arrays)
    data = bytearray(original)
    for _ in range(source.randint(1, 4)):
        data[source.randrange(len(data))] = source.randrange(256)
    if source.random() < 0.2:
        del data[source.randrange(len(data)) :]
    return sealed(data) if source.random() < 0.5 else bytes(data)


@pytest.mark.parametrize("mutations", [800, pytest.param(5_000, marks=pytest.mark.long)])
def test_mutated_files_raise_our_errors_only(path, mutations):
    """Also where the file is one that loads: what it holds is then run."""
    seed = 1974
    source = random.Random(seed)
    original = bw.trace(small, *ARGS).to_bytes()
    kinds = Counter()
    for index in range(mutations):
        path.write_bytes(mutated(source, original))
        try:
            bw.backward(bw.Graph.load(path), *ARGS)
            kinds["none"] += 1
        except BackwaveError as error:
            kinds[type(error).__name__] += 1
        except BaseException as error:
            pytest.fail(f"seed {seed}, mutation {index}: {type(error).__name__} {error}")
    deep = {"WireError", "ShapeError", "CycleError", "UnknownPrimitiveError", "none"}
    assert deep <= set(kinds), f"seed {seed}: mutations reached only {kinds}"
