"""``backwave bench scale`` on small networks: what its figures are, not how good they are."""

import contextlib
import io
import json
import math
import sys

import numpy as np
import pytest
from scipy.sparse import coo_array

import backwave as bw
from backwave.protocol.errors import BackwaveError, ClusterError
from backwave.scripts import bench
from backwave.scripts.bench.measure import Measured
from backwave.scripts.bench.scale import bench as scale
from backwave.scripts.bench.scale import memory as scale_memory
from backwave.scripts.bench.scale import peers as scale_peers
from backwave.scripts.bench.scale import ratios as scale_ratios
from backwave.scripts.bench.scale.passes import SparseBlocks, inputs_for, random_network, sweeps
from backwave.scripts.bench.scale.ray import two_workers
from backwave.scripts.bench.sheet import Sheet
from backwave.scripts.main import main

SMALL, LARGER, TOO_LARGE = 10_000, 200_000, 10**13


def no_ray(edges):
    raise ClusterError(f"no worker for {edges:,} edges")


@pytest.fixture(scope="module")
def whole():
    """What it finds on two sizes, without PyTorch and Ray; and what it says meanwhile."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said):
        patch.setattr(scale, "torch_or_none", lambda: None)
        patch.setattr(scale_ratios, "SCALAR_EDGES", 300)
        patch.setattr(scale, "LEAST_ON_RAY", SMALL)
        patch.setattr(scale, "two_workers", no_ray)
        found = scale.scale([LARGER, SMALL, TOO_LARGE, SMALL])
    return found, said.getvalue()


def sheet(whole, name):
    (found,) = (each for each in whole[0] if isinstance(each, Sheet) and each.name == name)
    return found


def test_sizes_that_memory_does_not_allow_are_left_out_and_named_beforehand(whole):
    said = whole[1].splitlines()
    assert "of memory are free" in said[0]
    assert said[1].endswith("for 10,000 edges")
    assert said[2].endswith("for 200,000 edges")
    assert said[3].endswith("for 10,000,000,000,000 edges: left out")
    assert "800.0 TB" in said[3]
    assert [row["edges"] for row in sheet(whole, "sizes").rows] == [SMALL, LARGER]


def test_ray_workers_that_cannot_be_started_are_left_out_and_named(whole):
    assert "Ray workers: left out, since no worker for 200,000 edges" in whole[1]


def test_pytorch_is_left_out_and_named_where_it_is_not_installed(whole, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert scale_peers.torch_or_none() is None
    assert "PyTorch is not installed" in capsys.readouterr().err
    assert all(row["torch_edges_per_second"] is None for row in sheet(whole, "sizes").rows)


def test_ratios_have_the_goals_that_were_set(whole):
    measured = {each.what: each for each in whole[0] if isinstance(each, Measured)}
    assert {what: each.goal for what, each in measured.items()} == {
        "random, the wave / 2 products": 1.0,
        "random, both sweeps / 3 products at 0.7": 1.0,
        "random, compiled / SciPy's blocks": None,
        "random, shuffled and handed back": None,
        "200,000 edges / autograd's scalars": None,
        "300 edges / autograd's scalars": None,
        "layered, the wave / 2 products": 1.0,
        "layered, both sweeps / 3 products at 0.7": 1.0,
        "layered, compiled / SciPy's blocks": None,
        "a traced loop of 20,002 nodes": 1.0,
    }
    for each in measured.values():
        assert 0 < each.ours < math.inf
        assert 0 < each.theirs < math.inf
        assert 0 < each.ratio < math.inf
        assert each.how


def test_the_limit_of_a_traced_loop_is_ten_million_edges_a_second(whole):
    (loop,) = (each for each in whole[0] if getattr(each, "what", "").startswith("a traced"))
    assert loop.theirs == pytest.approx(3 * 10_000 / 1e7)  # x * w has two edges, tanh one
    assert loop.ratio * loop.theirs == pytest.approx(loop.ours)


def test_speeds_are_those_of_one_pass(whole):
    for row in sheet(whole, "sizes").rows:
        forward, backward = (row[f"{name}_edges_per_second"] for name in ("forward", "backward"))
        assert 0 < row["both_edges_per_second"] < min(forward, backward)
        assert row["scipy_edges_per_second"] > 0
        assert row["nodes"] > row["edges"] / 10


@pytest.mark.skipif(not scale_memory.can_measure(), reason="no peak of memory is told here")
def test_memory_is_that_of_what_a_network_must_hold(whole):
    row = sheet(whole, "sizes").rows[-1]
    # A source of 4 bytes, a weight and a gradient of 8; a place in the order given where it is not
    # the network's. The system counts memory by pages, in part late.
    assert 16 < row["bytes_per_edge"] < 60
    assert row["bytes_per_edge"] + 4 < row["bytes_per_edge_shuffled"] < 80
    assert row["bytes_per_edge_goal"] is None


def test_the_slope_is_that_of_the_points(whole):
    points = sheet(whole, "growth").rows
    sizes = [point["size"] for point in points]
    assert sizes == sorted(set(sizes))
    assert sizes[0] == 2_000 + 1 + 11_000  # a layer, its inputs, the output, and their edges
    assert sizes[-1] == 21_000 + 1 + 201_000
    taken = [point["seconds"] for point in points]
    (slope,) = sheet(whole, "slopes").rows
    assert slope["slope"] == pytest.approx(np.polyfit(np.log(sizes), np.log(taken), 1)[0])
    assert (slope["goal"], slope["within"]) == (1.0, 0.05)


@pytest.fixture
def found_again(whole, monkeypatch):
    """Let the command find what was found before; return the sizes that it is given."""
    sizes = []
    monkeypatch.setattr(scale, "scale", lambda given: sizes.extend(given) or whole[0])
    return sizes


def test_the_json_has_all(whole, found_again, capsys):
    assert main(["bench", "scale", "--sizes", "2e5,1e4", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert found_again == [SMALL, LARGER]
    assert said.keys() == {"measured", "sizes", "growth", "slopes"}
    assert len(said["measured"]) == 10
    for name in ("sizes", "growth", "slopes"):
        assert said[name] == sheet(whole, name).rows


def test_the_tables_fit_80_columns(found_again, capsys):
    assert main(["bench", "scale", "--sizes", "1e4,2e5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    (heading,) = (line for line in lines if "shuffled" in line and "torch" in line)
    at = lines.index(heading)
    assert lines[at + 2].split()[0] == "10,000"
    assert lines[at + 3].split()[0] == "200,000"
    # No PyTorch: seven figures under eight headings.
    assert len(lines[at + 2].split()) == len(heading.split()) - 1


def test_it_is_measured_only_where_it_is_named(monkeypatch, capsys):
    measured = []
    for name in bench.NAMES:
        monkeypatch.setitem(bench.BENCHES, name, lambda name=name: measured.append(name) or [])
    assert main(["bench", "--json"]) == 0
    assert measured == [name for name in bench.NAMES if name not in ("scale", "gpu")]
    assert json.loads(capsys.readouterr().out) == {"measured": []}


MISTAKES = {
    "no number": (["bench", "scale", "--sizes", "1e5,many"], "'many' is no number of edges"),
    "no whole number": (["bench", "scale", "--sizes", "12345.6"], "'12345.6' is no number"),
    "infinite": (["bench", "scale", "--sizes", "inf"], "'inf' is no number of edges"),
    "none": (["bench", "scale", "--sizes", ""], "'' is no number of edges"),
    "too small": (["bench", "scale", "--sizes", "1e3,1e6"], "1,000 edges are too few to time"),
    "of what": (["bench", "chain", "--sizes", "1e5"], "--sizes says how large the networks"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line_and_exit_2(capsys, mistake):
    arguments, expected = MISTAKES[mistake]
    try:
        status = main(arguments)
    except SystemExit as exit:
        status = exit.code
    said = capsys.readouterr()
    assert status == 2
    assert expected in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_too_little_memory_for_any_size_is_said_before_work(capsys):
    assert main(["bench", "scale", "--sizes", "1e13"]) == 2
    said = capsys.readouterr().err
    assert said.splitlines()[-1].startswith("backwave: 10,000,000,000,000 edges need some 800.0 TB")


def test_a_process_that_cannot_measure_memory_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(BackwaveError, match="the process that measures memory failed"):
        scale_memory.peaks([SMALL])


@pytest.mark.parametrize("shuffled", [False, True])
def test_scipy_multiplies_with_the_networks_own_matrix(shuffled):
    random = np.random.default_rng(0)
    target = np.repeat(np.arange(1, 200), 5)
    source = random.integers(target)  # some twice between the same nodes
    weight = random.normal(size=len(source))
    order = random.permutation(len(source)) if shuffled else np.arange(len(source))
    network = bw.Network(source[order], target[order], weight[order])
    _, matrix = scale_peers.scipy_products(network)
    assert matrix.nnz == len(source)
    expected = coo_array((weight, (target, source)), shape=(200, 200))
    vector = random.normal(size=200)
    np.testing.assert_allclose(matrix @ vector, expected @ vector, rtol=1e-12, atol=1e-12)


def test_a_program_on_single_numbers_is_the_network():
    network = random_network(100)
    network = network.with_parameters(bias=np.linspace(-1, 1, network.nodes))
    inputs = inputs_for(network)
    result = bw.backward(network, inputs)
    scalars = scale_peers.Scalars(network, inputs)
    assert scalars.output(scalars.weights, np.tanh) == pytest.approx(result.value, rel=1e-12)
    scale_peers.autograd_scalars(network, inputs)()  # raises unless its gradients are the same
    wrong = result.weight_gradient.copy()
    wrong[0] += 1e-3
    with pytest.raises(AssertionError):
        scalars.require_equal(wrong)


def test_sweeps_are_parts_of_a_pass():
    network = random_network(1_000)
    inputs = inputs_for(network)
    for both in (sweeps(network, inputs), SparseBlocks(network, inputs).sweeps()):
        assert both.forward > 0
        assert both.backward > 0
        assert both.both == both.forward + both.backward


def test_pytorch_is_a_peer_where_it_is_installed():
    torch = pytest.importorskip("torch")
    network = random_network(200)
    inputs = inputs_for(network)
    scale_peers.torch_scalars(torch, network, inputs)()  # raises unless its gradients are the same
    products, matrix = scale_peers.scipy_products(network)
    assert products(2) > 0
    assert scale_peers.torch_products(torch, matrix)(2) > 0


@pytest.mark.long
def test_two_ray_workers_against_one():
    measured = two_workers(100_000)
    assert [each.what for each in measured] == [
        "2 Ray workers / 1, near, 3 levels",
        "2 Ray workers / 1, near, 3 levels, combiner",
        "2 Ray workers / 1, anywhere, 10 levels",
        "2 Ray workers / 1, anywhere, 10 levels, combiner",
    ]
    assert all(each.ratio > 0 and each.goal == pytest.approx(2 / 3) for each in measured)
