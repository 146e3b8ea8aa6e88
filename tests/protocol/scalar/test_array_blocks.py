"""Blocks run by SciPy's sparse kernels, and by those of a stand-in for a GPU's library."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from scipy import sparse

import backwave as bw
from backwave.actors import device as devices
from backwave.protocol.scalar import one_pass
from backwave.protocol.scalar.kernels.array_blocks import ArrayBlocks, Library
from backwave.protocol.scalar.kernels.on_host import host_library

from ..rules.standin import DeviceArray
from .drawn import assert_close, drawn, end_to_end, network


class SparseOnDevice:
    """A sparse matrix of the stand-in's: it multiplies device arrays and no others."""

    def __init__(self, parts, shape):
        assert all(isinstance(part, DeviceArray) for part in parts)
        self._matrix = sparse.csr_matrix(tuple(part.get() for part in parts), shape=shape)

    def __matmul__(self, other):
        assert isinstance(other, DeviceArray)
        return DeviceArray(self._matrix @ other.get())


STANDIN = Library(
    SimpleNamespace(zeros=lambda shape: DeviceArray(np.zeros(shape)), asarray=DeviceArray),
    SimpleNamespace(csr_matrix=SparseOnDevice),
    lambda array: array.get(),
)


def on(library):
    return lambda piece: ArrayBlocks(piece, library)


@pytest.fixture(params=["scipy", "standin"])
def library(request):
    return host_library() if request.param == "scipy" else STANDIN


@given(drawn)
def test_scipys_kernels_agree_with_the_compiled_ones(made):
    net = made.network
    reference = bw.backward(net, made.inputs)
    blocks = ArrayBlocks(net.piece, host_library())
    blocks.put(net.piece.leaves, made.inputs)
    blocks.fire(0, len(net.piece.kind))
    blocks.define(1.0)
    blocks.send(0, len(net.piece.wave))
    counts = blocks.counted()
    assert (counts.messages, counts.sums) == (reference.ledger.messages, reference.ledger.sums)
    np.testing.assert_allclose(
        net.per_node(blocks.found(0)), reference.S, rtol=1e-11, atol=1e-11 * abs(reference.S).max()
    )


def test_a_whole_pass_on_either_library(monkeypatch, library):
    for seed in range(4):
        made = network(seed)
        reference = bw.backward(made.network, made.inputs)
        with monkeypatch.context() as patched:
            patched.setattr(one_pass, "host_blocks", on(library))
            result = bw.backward(made.network, made.inputs)
            assert_close(result, reference, rtol=1e-11)
            assert result.ledger == reference.ledger


@pytest.mark.parametrize("combiner", [False, True])
def test_cut_into_pieces_on_either_library(monkeypatch, library, combiner):
    three = library.arrays, library.sparse, library.fetch
    monkeypatch.setattr(devices.Host, "sparse", lambda self: three)
    for seed in range(4):
        made = network(seed)
        net = made.network
        reference = bw.backward(net, made.inputs)
        for options in ({}, {"partitioner": "levels"}, {"schedule": "eager"}):
            result = bw.run_locally(bw.plan(net, 3, combiner=combiner, **options), made.inputs)
            assert_close(result, reference, rtol=1e-11)
            assert result.ledger.messages == net.num_edges


def test_primitives_on_either_library(monkeypatch, library):
    def loop(w, x):
        total = 0.0
        for i in range(4):
            total = np.tanh(total + w[i] * x[i]) / (1.0 + w[i] * w[i])
        return np.where(total > 0.0, total, total**3) + np.maximum(total, 0.1)

    args = np.linspace(-1, 1, 4), np.linspace(0.5, 2, 4)
    graph = bw.trace(loop, *args)
    monkeypatch.setattr(one_pass, "host_blocks", on(library))
    net = bw.Network.from_graph(graph)
    result = bw.backward(net, end_to_end(args))
    reference = bw.backward(graph, *args)
    np.testing.assert_allclose(result.value, reference.value, rtol=1e-13)
    np.testing.assert_allclose(result.grads, end_to_end(reference.grads), rtol=1e-11)
    # Every node that something feeds, against the engine for tensors.
    fed = np.setdiff1d(np.arange(net.nodes), net.inputs)
    ours = result.S[fed]
    theirs = np.array([float(S) for S in reference.S.values() if not np.shape(S)])
    np.testing.assert_allclose(np.sort(ours[ours != 0]), np.sort(theirs[theirs != 0]), rtol=1e-11)


def test_weights_on_leaves_on_either_library(monkeypatch, library):
    made = network(1)
    net = made.network
    fed = np.setdiff1d(np.arange(net.nodes), net.inputs)
    on_edges = bw.backward(net, made.inputs)
    monkeypatch.setattr(one_pass, "host_blocks", on(library))
    view = net.weights_as_nodes()
    on_leaves = bw.backward(view, end_to_end([made.inputs, net.weight, net.bias[fed]]))
    gradients = [on_edges.grads, on_edges.weight_gradient, on_edges.bias_gradient[fed]]
    scale = np.abs(on_edges.S).max()
    np.testing.assert_allclose(on_leaves.value, on_edges.value, rtol=1e-11)
    np.testing.assert_allclose(
        on_leaves.grads, end_to_end(gradients), rtol=1e-11, atol=1e-11 * scale
    )
    np.testing.assert_allclose(on_leaves.S[: net.nodes], on_edges.S, rtol=1e-11, atol=1e-11 * scale)


def test_check_finite_on_an_array_library(monkeypatch):
    monkeypatch.setattr(one_pass, "host_blocks", on(STANDIN))
    net = bw.Network([0, 1], [1, 2], [1.0, 1.0], activation=["tanh", "log", "tanh"])
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(bw.errors.NonFiniteError, match=r"node 1 \(log, level 1\) is nan; its 1 inp"),
    ):
        bw.backward(net, [-1.0], check_finite=True)
