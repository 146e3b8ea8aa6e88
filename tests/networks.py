"""Random programs and graphs for the tests of plans and workers."""

import numpy as np
from hypothesis import strategies as st

import backwave as bw

STEPS = {
    "tanh": lambda a, b: np.tanh(a),
    "square": lambda a, b: a * a,
    "product": lambda a, b: a @ b.T @ a,
    "transposed": lambda a, b: np.tanh(a.T @ b),
    "strided": lambda a, b: np.tanh(a[::2, ::-1]).sum(axis=0) + b,
    "columns": lambda a, b: np.sum(b[:, ::2], axis=1, keepdims=True) * a,
    "narrow": lambda a, b: a[:, :1] @ b[:1] * 0.1,
    "gather": lambda a, b: a[np.array([2, 0, 0, 1])] * b,
    "mean": lambda a, b: a - np.mean(b.T, axis=1),
    "normal": lambda a, b: a / (1 + np.sum(b * b)),
    "choose": lambda a, b: np.where(a > b, a, b * 0.5),
}


def run_program(program, leaves):
    nodes = list(leaves)
    for name, i, j in program:
        nodes.append(STEPS[name](nodes[i % len(nodes)], nodes[j % len(nodes)]) * 0.5)
    return np.mean(nodes[-1]) + np.sum(nodes[-2] * 1e-3)


@st.composite
def networks(draw):
    """Draw ``(graph, args)``: square matrices, in C and in Fortran order."""
    program = draw(
        st.lists(
            st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 8), st.integers(0, 8)),
            min_size=1,
            max_size=8,
        )
    )
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    args = [random.uniform(-1, 1, (4, 4)) for _ in range(draw(st.integers(1, 3)))]
    if draw(st.booleans()):
        args = [np.asfortranarray(value) for value in args]
    return bw.trace(lambda leaves: run_program(program, leaves), args, argnums=0), (args,)
