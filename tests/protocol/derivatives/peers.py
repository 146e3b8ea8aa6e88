"""Random programs that NumPy and HIPS/autograd both run."""

import numpy as np
from hypothesis import strategies as st

# Each takes the namespace and operands; domains are kept safe by what surrounds them.
UNARY = {
    "tanh": lambda np, a: np.tanh(a),
    "sin": lambda np, a: np.sin(a),
    "cos": lambda np, a: np.cos(a),
    "arctan": lambda np, a: np.arctan(a),
    "exp": lambda np, a: np.exp(np.tanh(a)),
    "exp2": lambda np, a: np.exp2(np.tanh(a)),
    "expm1": lambda np, a: np.expm1(np.tanh(a)),
    "log": lambda np, a: np.log(a * a + 1.5),
    "log2": lambda np, a: np.log2(a * a + 1.5),
    "log10": lambda np, a: np.log10(a * a + 1.5),
    "log1p": lambda np, a: np.log1p(a * a),
    "sqrt": lambda np, a: np.sqrt(a * a + 0.5),
    "square": lambda np, a: np.square(np.tanh(a)),
    "power": lambda np, a: (a * a + 0.5) ** 1.7,
    "cube": lambda np, a: np.tanh(a) ** 3,
    "reciprocal": lambda np, a: 1.0 / (a * a + 1.0),
    "negative": lambda np, a: -a,
    "abs": lambda np, a: np.abs(a + 0.01),
    "sinh": lambda np, a: np.sinh(np.sin(a)),
    "cosh": lambda np, a: np.cosh(np.sin(a)),
    "tan": lambda np, a: np.tan(np.tanh(a)),
    "arcsin": lambda np, a: np.arcsin(0.9 * np.tanh(a)),
    "arccos": lambda np, a: np.arccos(0.9 * np.tanh(a)),
    "arcsinh": lambda np, a: np.arcsinh(a),
    "arccosh": lambda np, a: np.arccosh(a * a + 1.5),
    "arctanh": lambda np, a: np.arctanh(0.9 * np.tanh(a)),
    "sum": lambda np, a: np.sum(a),
    "sum0": lambda np, a: np.sum(a, axis=0) if np.ndim(a) else a,
    "sum_last_keep": lambda np, a: np.sum(a, axis=-1, keepdims=True) if np.ndim(a) else a,
    "mean": lambda np, a: np.mean(a),
    "mean0": lambda np, a: np.mean(a, axis=0, keepdims=True) if np.ndim(a) else a,
    "var": lambda np, a: np.var(a, axis=-1) if np.ndim(a) else a,
    "std": lambda np, a: np.std(a + np.arange(np.shape(a)[-1]), axis=-1) if np.ndim(a) else a,
    "max": lambda np, a: np.max(a, axis=-1) if np.ndim(a) else a,
    "min": lambda np, a: np.min(a),
    "prod": lambda np, a: np.prod(np.tanh(a) + 1.5, axis=0) if np.ndim(a) else a,
    "ravel": lambda np, a: np.ravel(a),
    "transpose": lambda np, a: np.transpose(a),
    "swap": lambda np, a: np.swapaxes(a, 0, -1) if np.ndim(a) else a,
    "row": lambda np, a: np.reshape(a, (1, -1)),
    "head": lambda np, a: a[:1] if np.ndim(a) else a,
    "reversed": lambda np, a: a[::-1] if np.ndim(a) else a,
    "last": lambda np, a: a[..., -1] if np.ndim(a) else a,
    "repeated": lambda np, a: a[np.array([0, -1, 0])] if np.ndim(a) else a,
    "newaxis": lambda np, a: a[None] if 0 < np.ndim(a) < 3 else a,
    "masked": lambda np, a: np.where(a > 0.1, np.sin(a), a * 0.3),
    "clip": lambda np, a: np.clip(a, -0.51, 0.52),
    "logsumexp": lambda np, a: np.log(np.sum(np.exp(np.tanh(a)))),
}
BINARY = {
    "add": lambda np, a, b: a + b,
    "subtract": lambda np, a, b: a - b,
    "multiply": lambda np, a, b: np.tanh(a) * np.tanh(b),
    "divide": lambda np, a, b: a / (b * b + 0.7),
    "power": lambda np, a, b: (np.tanh(a) + 1.5) ** np.tanh(b),
    "maximum": lambda np, a, b: np.maximum(a, b),
    "minimum": lambda np, a, b: np.minimum(a, b + 0.1),
    "logaddexp": lambda np, a, b: np.logaddexp(a, b),
    "arctan2": lambda np, a, b: np.arctan2(a + 0.1, b * b + 0.2),
    "where": lambda np, a, b: np.where(
        a < b, a * b, b + 0 * a
    ),  # autograd does not undo its broadcasting
    "outer": lambda np, a, b: np.outer(np.ravel(a)[:4], np.ravel(b)[:3]),
    "matmul": lambda np, a, b: np.reshape(a, (1, -1)) @ (np.reshape(a, (-1, 1)) * np.ravel(b)[:3]),
    "dot": lambda np, a, b: np.dot(np.ravel(a), np.ravel(a)) * b,
    "tensordot": lambda np, a, b: np.tensordot(np.ravel(a)[:2], np.ravel(b)[:3], axes=0),
    "concatenate": lambda np, a, b: np.concatenate([np.ravel(a), np.ravel(b), np.ravel(a)])[:9],
    "stack": lambda np, a, b: np.stack([np.sum(a), np.mean(b), np.sum(b)]),
}


def broadcasts(a, b):
    try:
        np.broadcast_shapes(np.shape(a), np.shape(b))
    except ValueError:
        return False
    return True


def build(program):
    """Turn a drawn program into a function of a namespace and its leaves; its value is a number."""
    last = last_nodes(program, 3)

    def run(namespace, leaves):
        total = 0.0
        for weight, node in enumerate(last(namespace, leaves), 1):
            total = total + namespace.mean(node) * weight
        return total

    return run


def last_nodes(program, count):
    """Turn a drawn program into a function of a namespace and its leaves; it has several values."""

    def run(namespace, leaves):
        nodes = list(leaves)
        for name, i, j in program:
            a, b = nodes[i % len(nodes)], nodes[j % len(nodes)]
            if name in UNARY:
                u = UNARY[name](namespace, a)
            elif broadcasts(a, b) or name in (
                "outer",
                "matmul",
                "tensordot",
                "concatenate",
                "stack",
            ):
                u = BINARY[name](namespace, a, b)
            else:
                u = BINARY[name](namespace, a, namespace.sum(b))
            nodes.append(namespace.tanh(u * 0.7) if namespace.size(u) > 40 else u)
        return nodes[-count:]

    return run


programs = st.lists(
    st.tuples(st.sampled_from(sorted({**UNARY, **BINARY})), st.integers(0, 11), st.integers(0, 11)),
    min_size=1,
    max_size=9,
)
shapes = st.lists(
    st.sampled_from([(), (1,), (3,), (2, 3), (3, 1), (1, 3), (2, 1, 3)]), min_size=1, max_size=3
)
