"""Files of edges: what is saved is read; damage, wrong columns and too little memory are said."""

import random
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import psutil
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

import backwave as bw
from backwave.protocol.errors import ArgumentError, BackwaveError, WireError
from backwave.protocol.scalar.files import edge_file, edge_parquet, edge_text

ENDS = (".txt", ".tsv", ".csv", ".txt.gz", ".tsv.gz", ".csv.gz", ".parquet", ".npz")

SOURCE, TARGET, WEIGHT = [0, 0, 1, 0, 2], [1, 1, 2, 3, 3], [0.5, -1.25, 3e-300, 0.1, 2.0]
"""Twice the same edge, and one that skips a level."""


def edges_of(network):
    return network.source.tolist(), network.target.tolist(), network.weight.tolist()


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@st.composite
def edges(draw):
    """Edges between nodes in any order, the last the output; weights of all sizes."""
    nodes = draw(st.integers(2, 12))
    pairs = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1))
    drawn = draw(st.lists(pairs.filter(lambda pair: pair[0] < pair[1]), max_size=30))
    drawn.append((draw(st.integers(0, nodes - 2)), nodes - 1))
    ends = np.array(draw(st.permutations(drawn)))
    weights = st.floats(allow_nan=False, allow_infinity=False)
    count = len(drawn)
    return ends[:, 0], ends[:, 1], draw(st.lists(weights, min_size=count, max_size=count))


@given(edges(), st.sampled_from(ENDS), st.integers(1, 200))
def test_what_is_saved_is_read(tmp_path_factory, drawn, end, chunk):
    source, target, weight = drawn
    network = bw.Network(source, target, weight)
    path = tmp_path_factory.getbasetemp() / f"edges{end}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edge_text, "BLOCK", chunk)
        patch.setattr(edge_text, "CHUNK", chunk)
        patch.setattr(edge_parquet, "CHUNK", chunk)
        network.save_edges(path)
        again = bw.Network.from_file(path)
    assert np.array_equal(again.source, source)
    assert np.array_equal(again.target, target)
    assert again.weight.tobytes() == np.asarray(weight).tobytes()
    assert not list(path.parent.glob("*.partial"))


def test_biases_activations_and_output_are_given_beside(tmp_path):
    biases, names = [0, 1, 0, 0], ["identity"] * 4
    network = bw.Network([0, 1], [1, 2], [0.5, 2.0], bias=biases, activation=names, output=2)
    path = tmp_path / "edges.parquet"
    network.save_edges(path)
    again = bw.Network.from_file(path, bias=network.bias, activation=names, output=network.output)
    assert bw.backward(again, [0.5, 9]).value == 2 * (0.5 * 0.5 + 1)


def test_other_libraries_read_what_is_saved(tmp_path):
    network = bw.Network(SOURCE, TARGET, WEIGHT)
    for end in ENDS:
        network.save_edges(tmp_path / f"edges{end}")
    for name, delimiter in [("txt", None), ("tsv", "\t"), ("csv", ","), ("csv.gz", ",")]:
        read = np.loadtxt(tmp_path / f"edges.{name}", delimiter=delimiter, skiprows=2)
        assert read.T.tolist() == [SOURCE, TARGET, WEIGHT]
    with np.load(tmp_path / "edges.npz") as arrays:
        assert {name: arrays[name].tolist() for name in arrays} == {
            "source": SOURCE, "target": TARGET, "weight": WEIGHT
        }  # fmt: skip
    table = parquet.read_table(tmp_path / "edges.parquet")
    assert table.to_pydict() == {"source": SOURCE, "target": TARGET, "weight": WEIGHT}


def small():
    return bw.Network.random(12, 3, seed=1)


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("end", ENDS)
def test_a_file_cut_short_anywhere(tmp_path, write, end, step):
    path = tmp_path / f"edges{end}"
    small().save_edges(path)
    whole = path.read_bytes()
    # Of a weight's last digits, one may be missing; of all that has a checksum, none.
    last = len(whole) - (20 if end in (".txt", ".tsv", ".csv") else 0)
    for length in range(last - 1, -1, -step):
        with pytest.raises((ArgumentError, WireError)) as caught:
            bw.Network.from_file(write(f"cut{end}", whole[:length]))
        assert f"cut{end}" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("end", [".txt.gz", ".parquet", ".npz"])
def test_a_file_with_wrong_bytes_is_refused_or_the_same(tmp_path, write, end):
    network = small()
    path = tmp_path / f"edges{end}"
    network.save_edges(path)
    whole = path.read_bytes()
    randomly = random.Random(0)
    refused = []
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(randomly.choice([1, 1, 4])):
            content[randomly.randrange(len(content))] ^= randomly.randrange(1, 256)
        try:
            read = bw.Network.from_file(write(f"wrong{end}", bytes(content)))
        except BackwaveError as error:
            refused.append(str(error))
        else:
            assert edges_of(read) == edges_of(network)
    assert len(refused) > 100
    assert not any("\n" in message for message in refused)


def columns(**changes):
    return {"source": np.array(SOURCE), "target": np.array(TARGET), "weight": np.array(WEIGHT)} | {
        name: np.asarray(column) for name, column in changes.items()
    }


BAD_COLUMNS = [
    (columns(source=np.array(SOURCE, float)), "source is (double|float64), and nodes are numbered"),
    (columns(target=list("abcde")), "target is (string|<U1), and nodes are numbered"),
    (columns(weight=list("abcde")), "weight is (string|<U1), and weights are numbers"),
    (columns(weight=[True] * 5), "weight is bool, and weights are numbers"),
    (columns(source=[0, 0, 1, 0, -2]), "source names node -2; nodes are numbered from 0"),
    (columns(target=[1, 1, 2, 3, 2**31]), "target names node 2147483648; nodes are"),
    (columns(weight=[1, 1, np.nan, 1, 1.0]), "the weight of edge 2 is nan"),
    (columns(source=[], target=[], weight=[]), "(no edge in it|source is float64)"),
    ({name: c for name, c in columns().items() if name != "weight"}, "has no column 'weight'"),
    ({"from": np.array(SOURCE)} | columns(), None),
]


@pytest.mark.parametrize(("bad", "message"), BAD_COLUMNS)
@pytest.mark.parametrize("end", [".parquet", ".npz"])
def test_wrong_columns(tmp_path, bad, message, end):
    path = tmp_path / f"edges{end}"
    if end == ".npz":
        np.savez(path, **bad)
    else:
        empty = {} if len(bad["source"]) else {"source": pa.int8(), "target": pa.int8()}
        arrays = {name: pa.array(column, empty.get(name)) for name, column in bad.items()}
        parquet.write_table(pa.table(arrays), path)
    if message is None:
        assert edges_of(bw.Network.from_file(path)) == (SOURCE, TARGET, WEIGHT)
        return
    with pytest.raises(ArgumentError, match=message) as caught:
        bw.Network.from_file(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "types",
    [(pa.int8(), pa.uint8(), pa.float32()), (pa.uint64(), pa.int16(), pa.int64())],
)
def test_columns_of_other_numbers(tmp_path, types):
    weight = [1.0, -2.0, 3.0, 0.0, 5.0]
    arrays = [pa.array(c).cast(t) for c, t in zip((SOURCE, TARGET, weight), types, strict=True)]
    parquet.write_table(pa.table(arrays, ["source", "target", "weight"]), tmp_path / "e.parquet")
    np.savez(
        tmp_path / "e.npz",
        source=arrays[0].to_numpy(),
        target=arrays[1].to_numpy().astype(">i2"),
        weight=arrays[2].to_numpy(),
    )
    for name in ("e.parquet", "e.npz"):
        assert edges_of(bw.Network.from_file(tmp_path / name)) == (SOURCE, TARGET, weight)


def test_a_number_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(edge_parquet, "CHUNK", 2)
    table = pa.table({"source": SOURCE, "target": TARGET, "weight": [1.0, 2.0, 3.0, None, 5.0]})
    parquet.write_table(table, tmp_path / "edges.parquet")
    with pytest.raises(ArgumentError, match="weight is missing in row 3, counted from 0"):
        bw.Network.from_file(tmp_path / "edges.parquet")


def test_two_columns_of_one_name(tmp_path):
    table = pa.table([pa.array(SOURCE)] * 4, ["source", "target", "weight", "source"])
    parquet.write_table(table, tmp_path / "edges.parquet")
    with pytest.raises(ArgumentError, match="has more than one column 'source'"):
        bw.Network.from_file(tmp_path / "edges.parquet")


def test_columns_of_other_lengths(tmp_path):
    np.savez(tmp_path / "edges.npz", **columns(weight=[1.0]))
    with pytest.raises(ArgumentError, match=r"columns of lengths \[5, 5, 1\]"):
        bw.Network.from_file(tmp_path / "edges.npz")
    np.savez(tmp_path / "edges.npz", **columns(weight=[[1.0]]))
    with pytest.raises(ArgumentError, match="weight has 2 axes, and a column has one"):
        bw.Network.from_file(tmp_path / "edges.npz")
    with (tmp_path / "edges.npz").open("wb") as file:
        np.save(file, np.array(SOURCE))
    with pytest.raises(ArgumentError, match="is one array; np"):
        bw.Network.from_file(tmp_path / "edges.npz")


class Runs:
    """Makes a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_is_unpickled(tmp_path):
    weight = np.array([Runs(tmp_path / "ran")] * 5, object)
    np.savez(tmp_path / "edges.npz", **columns(weight=weight))
    with zipfile.ZipFile(tmp_path / "edges.npz") as archive:
        assert b"Runs" in archive.read("weight.npy") or b"open" in archive.read("weight.npy")
    with pytest.raises(WireError, match="allow_pickle=False"):
        bw.Network.from_file(tmp_path / "edges.npz")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("end", [".txt", ".txt.gz", ".parquet", ".npz"])
def test_too_little_memory_is_said_before(tmp_path, monkeypatch, end):
    network = bw.Network.layered(100, 100, 10)
    path = tmp_path / f"edges{end}"
    network.save_edges(path)
    free = SimpleNamespace(available=20 * network.edges)
    monkeypatch.setattr(edge_text, "BLOCK", 2**18)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(edge_file._Columns, "add", None)  # nothing is taken
    with pytest.raises(ArgumentError, match=r"edges need some .* and 2 MB are free"):
        bw.Network.from_file(path)


def test_a_bar_where_standard_error_is_a_terminal(tmp_path, monkeypatch, capsys):
    path = tmp_path / "edges[red].npz"
    small().save_edges(path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    bw.Network.from_file(path)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    bw.Network.from_file(path)
    out, err = capsys.readouterr()
    assert out == ""
    assert "edges[red].npz" in err
    assert "100%" in err


@pytest.mark.parametrize("end", [".txt", ".parquet"])
def test_without_pyarrow(tmp_path, monkeypatch, end):
    path = tmp_path / f"edges{end}"
    small().save_edges(path)
    for module in ("edge_text", "edge_parquet"):
        monkeypatch.delitem(sys.modules, f"backwave.protocol.scalar.files.{module}")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for use in (bw.Network.from_file, small().save_edges):
        with pytest.raises(ArgumentError, match=r"need pyarrow.*pip install 'backwave\[files\]'"):
            use(path)


def test_files_that_are_none(tmp_path):
    for path in (tmp_path / "edges.txt", tmp_path):
        with pytest.raises(ArgumentError, match=f"there is no file {path}"):
            bw.Network.from_file(path)
    with pytest.raises(ArgumentError, match="3 is no path of a file"):
        bw.Network.from_file(3)


def test_what_cannot_be_saved(tmp_path):
    with pytest.raises(ArgumentError, match=r"edges\.xlsx says no format by its end; choose \.txt"):
        small().save_edges(tmp_path / "edges.xlsx")
    graph = bw.trace(lambda x: np.sin(x) * x, 0.5)
    with pytest.raises(ArgumentError, match="has no weights on its edges"):
        bw.Network.from_graph(graph).save_edges(tmp_path / "edges.txt")
    with pytest.raises(FileNotFoundError):
        small().save_edges(tmp_path / "nowhere" / "edges.txt")
    assert list(tmp_path.iterdir()) == []
