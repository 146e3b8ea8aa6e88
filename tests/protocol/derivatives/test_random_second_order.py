"""Second order of random networks: symmetric, right, and the same bits over workers."""

import numpy as np
import optree
from hypothesis import given, settings
from hypothesis import strategies as st

import backwave as bw

from ...amount import amount
from ...networks import assert_same_bits, bits, programs


def smooth_numeric(gradient, args, v, t=1e-6):
    up = gradient(*(np.asarray(a + t * d, a.dtype) for a, d in zip(args, v, strict=True)))
    down = gradient(*(np.asarray(a - t * d, a.dtype) for a, d in zip(args, v, strict=True)))
    return [(a - b) / (2 * t) for a, b in zip(up, down, strict=True)]


def paired(left, right):
    return float(sum(np.sum(np.asarray(a) * b) for a, b in zip(left, right, strict=True)))


@given(programs(max_steps=8), st.integers(0, 2**32))
@settings(max_examples=amount(10, 60))
def test_the_hessian_of_a_random_network_is_symmetric_and_that_of_finite_differences(program, seed):
    single = any(name == "single" for name, _, _ in program.steps)
    numbers = np.random.default_rng(seed)
    u, v = ([numbers.normal(size=a.shape) for a in program.args] for _ in range(2))
    argnums = tuple(range(len(program.args)))
    product = bw.hvp(program, argnums)
    Hu, Hv = product(*program.args, tuple(u)), product(*program.args, tuple(v))
    scale = 1 + sum(float(np.sum(np.abs(each))) for each in (*Hu, *Hv))
    assert abs(paired(u, Hv) - paired(v, Hu)) <= (1e-3 if single else 1e-9) * scale
    if single:
        return
    branches = {"maximum", "where", "max"}  # near a kink a difference sees both sides
    if branches & {name for name, _, _ in program.steps}:
        return
    graph = program.graph()
    if not graph.on_network[graph.output]:
        return
    gradient = bw.grad(program, argnums)
    for one, other in zip(Hv, smooth_numeric(gradient, program.args, v), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6 * scale)


@given(programs(max_steps=6), st.integers(1, 4))
@settings(max_examples=amount(10, 40))
def test_a_product_over_workers_has_the_same_bits_and_counts(program, workers):
    graph = program.graph()
    network = bw.hvp_network(graph)
    if not network.on_network[network.output]:
        return
    v = tuple(np.cos(np.arange(a.size, dtype=a.dtype)).reshape(a.shape) for a in program.args)
    v = v[0] if len(v) == 1 else v
    result = bw.run_locally(bw.plan(network, workers), *program.args, v)
    assert_same_bits(result, bw.backward(network, *program.args, v))
    argnums = tuple(range(len(program.args))) if len(program.args) > 1 else 0
    ours = optree.tree_leaves(bw.hvp(program, argnums)(*program.args, v))
    assert [bits(each) for each in ours] == [
        bits(each) for each in optree.tree_leaves(result.grads)
    ]
    assert result.ledger.messages == network.num_edges


@given(programs(max_steps=6))
@settings(max_examples=amount(10, 40))
def test_forward_mode_is_the_transpose_of_reverse_on_random_networks(program):
    numbers = np.random.default_rng(0)
    v = tuple(numbers.normal(size=a.shape) for a in program.args)
    slope = bw.jvp(program, program.args, v)[1]
    (pulled) = bw.vjp(program, *program.args)[1](np.ones((), np.asarray(slope).dtype))
    scale = 1 + sum(float(np.sum(np.abs(each))) for each in pulled)
    single = any(name == "single" for name, _, _ in program.steps)
    assert abs(paired(pulled, v) - slope) <= (1e-4 if single else 1e-10) * scale
