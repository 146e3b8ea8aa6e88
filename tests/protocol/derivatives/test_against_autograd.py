"""Random networks against HIPS/autograd, an independent oracle: a thousand in the long run."""

import autograd.numpy as anp
import numpy as np
from autograd import grad as autograd_grad
from hypothesis import given, note, settings
from hypothesis import strategies as st

import backwave as bw

from ...amount import amount
from .peers import build, programs, shapes


@settings(max_examples=amount(100, 1000))
@given(shapes, programs, st.integers(0, 2**32 - 1))
def test_random_networks_have_the_value_and_gradient_of_autograd(leaf_shapes, program, seed):
    random = np.random.default_rng(seed)
    leaves = [random.uniform(-1, 1, shape) for shape in leaf_shapes]
    run = build(program)
    note(f"leaves {leaf_shapes}, seed {seed}, program {program}")
    with np.errstate(all="ignore"):
        theirs = autograd_grad(lambda leaves: run(anp, leaves))(leaves)
        graph = bw.trace(lambda leaves: run(np, leaves), leaves, argnums=0)
        result = bw.backward(graph, leaves)
        value = run(np, leaves)
    assert abs(result.value - value) <= 1e-12 * max(1.0, abs(value))
    assert result.ledger.messages == graph.num_edges
    for ours, other, leaf in zip(result.grads, theirs, leaves, strict=True):
        assert np.shape(ours) == np.shape(leaf)
        error = np.linalg.norm(np.ravel(ours - other))
        assert error <= 1e-10 * max(1.0, np.linalg.norm(np.ravel(other)))
