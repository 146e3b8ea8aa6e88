"""Edges as text: as people write it, and as no reader should take it."""

import gzip

import pytest

import backwave as bw
from backwave.protocol.errors import ArgumentError, CycleError, WireError
from backwave.protocol.scalar.files import edge_text

SOURCE, TARGET, WEIGHT = [0, 0, 1, 0, 2], [1, 1, 2, 3, 3], [0.5, -1.25, 3e-300, 0.1, 2.0]
LINES = b"0 1 0.5\n0 1 -1.25\n1 2 3e-300\n0 3 0.1\n2 3 2\n"


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


COMMAS = LINES.replace(b" ", b",")


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        LINES.rstrip(),
        LINES.replace(b" ", b"\t"),
        LINES.replace(b" ", b" \t  "),
        LINES.replace(b"\n", b"\r\n"),
        LINES.replace(b"\n", b"  \n\n \n\t"),
        b"\n \n  " + LINES,
        b"\xef\xbb\xbf" + LINES,
        b"\xef\xbb\xbfsource target weight\n" + LINES,
        b"# nodes of a net\n#\n" + LINES.replace(b"\n", b"# half: \xbd\n") + b"# end",
        b"# edges: 5\n" + LINES,
        b"source target weight\n" + LINES,
        b"# named\n\n\tSource   TARGET weight # so\n" + LINES,
        COMMAS,
        COMMAS.replace(b",", b" ,\t "),
        b'"source","target","weight"\r\n' + COMMAS,
        b"weight,id,target,source\n0.5,a,1,0\n-1.25,b,1,0\n3e-300,c d,2,1\n0.1,,3,0\n2,e,3,2\n",
        LINES.replace(b"0.5", b"+.5").replace(b"2\n", b"2.e0\n").replace(b"1 2 ", b"001 02 "),
    ],
)
@pytest.mark.parametrize("block", [1, 9, 2**23])
def test_text_as_people_write_it(write, monkeypatch, content, block):
    monkeypatch.setattr(edge_text, "BLOCK", block)
    # A packed file may have several parts.
    packed = gzip.compress(content[:20]) + gzip.compress(content[20:])
    for path in (write("edges", content), str(write("edges.gz", packed))):
        network = bw.Network.from_file(path)
        assert network.source.tolist() == SOURCE
        assert network.target.tolist() == TARGET
        assert network.weight.tolist() == WEIGHT


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", ArgumentError, "edges.txt has no edge in it"),
        (b"\n# nothing\n  \n", ArgumentError, "has no edge in it"),
        (b"source target weight\n", ArgumentError, "has no edge in it"),
        (b"0 1 0.5\n\n# so\n1 x 2\n", WireError, r"line 4: '1 x 2' has 'x' for a target, no whole"),
        (
            b"0 1 0.5\n1 2\n2 3 1\n",
            WireError,
            "line 2: '1 2' is of 2 fields, not of 3: source, target,",
        ),
        (b"0 1 0.5\n1 2 0.5 3\n", WireError, "line 2: '1 2 0.5 3' is of 4 fields, not of 3"),
        (b"0 1 0.5\n1 2", WireError, "line 2: '1 2' is of 2 fields.*it may be cut short"),
        (b"0 1 0.5\n1 2 zero\n", WireError, "line 2: '1 2 zero' has 'zero' for a weight, no fin"),
        (b"0 1 0.5\n1 2 nan\n", WireError, "line 2: '1 2 nan' has 'nan' for a weight, no finite"),
        (b"0 1 0.5\n1 2 1e999\n", WireError, "line 2: '1 2 1e999' has '1e999' for a weight"),
        (b"0 1 0.5\n-1 2 1\n", WireError, "line 2: '-1 2 1' has '-1' for a source, no whole"),
        (b"0 1 0.5\n1.0 2 1\n", WireError, "line 2: '1.0 2 1' has '1.0' for a source, no whole"),
        (
            b"0 1 0.5\n2147483648 2 1\n",
            WireError,
            "line 2: .* no whole number from 0 to 2147483647",
        ),
        (b"0,1,0.5\n1,,2\n", WireError, "line 2: '1,,2' has '' for a target"),
        (b"0,1,0.5\n1 2 0.5\n", WireError, "line 2: '1 2 0.5' is of 1 fields, not of 3"),
        (
            b"0 1 0.5\n1 2 0.5\x00\n",
            WireError,
            r"'1 2 0.5\\x00' has '0.5\\x00' for a w",
        ),
        (b"0 1 0.5\n1 2 1_0\n", WireError, "lines 1 to 3: .*invalid value '1_0'"),
        (b"0 1\n1 2\n", WireError, "line 1: '0 1' is of 2 fields"),
        (b"from to\n0 1\n", ArgumentError, "line 1: 'from to' is no edge, and does not name the"),
        (b"# an\n\nsource target\n0 1\n", ArgumentError, "line 3: 'source target' is no edge"),
        (b"source target weight weight\n0 1 2 3\n", ArgumentError, "line 1: .*does not name the"),
        (b"\x89PNG\r\n\x1a\n", ArgumentError, "line 1: '.*PNG' is no edge"),
        (
            b"# edges: 3\n0 1 0.5\n1 2 0.5\n",
            WireError,
            "says that it has 3 edges, and has 2;",
        ),
        (b"# edges: 1\n0 1 0.5\n1 2 0.5\n", WireError, "says that it has 1 edges, and has 2"),
        (b"0 1 0.5\n1 0 0.5\n", CycleError, "edges.txt: the network has a cycle"),
        (b"0 1 0.5\n1 1 0.5\n", CycleError, "edges.txt: edge 1 leads from node 1 to itself"),
    ],
)
@pytest.mark.parametrize("block", [6, 2**23])
def test_damaged_text(write, monkeypatch, content, error, message, block):
    monkeypatch.setattr(edge_text, "BLOCK", block)
    if "lines 1 to" in message and block == 6:
        message = message.replace("lines 1 to 3", "lines 2 to 3")
    with pytest.raises(error, match=message):
        bw.Network.from_file(write("edges.txt", content))


def test_a_line_without_an_end(write, monkeypatch):
    monkeypatch.setattr(edge_text, "BLOCK", 10)
    content = b"0 1 0.5\n1 2 0.5" + b"0" * 2**17
    with pytest.raises(WireError, match=r"edges\.txt, line 2, is longer than an edge"):
        bw.Network.from_file(write("edges.txt", content))
