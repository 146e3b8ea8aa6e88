"""Networks for the tests: the examples, and random programs in plain NumPy."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import optree
from hypothesis import strategies as st

import backwave as bw
from backwave.scripts.load import load_target

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
# About a thousand nodes each: a worker a node takes about a second.
LONG = ("fluid", "kalman", "lstm", "ode_fit", "wave_inversion")
SHORT_EXAMPLES = [path for path in EXAMPLES if path.stem not in LONG]


@cache
def example(path):
    """Trace an example with respect to its first argument; return its graph and arguments.

    Tests share both: they are read, and never written to.
    """
    target = load_target(str(path))
    return bw.trace(target.function, *target.args, argnums=0), target.args


@dataclass
class Program:
    """A function and its arguments; the steps are what Hypothesis prints where a test fails."""

    steps: list[tuple[str, tuple[int, ...], Any]]
    outputs: list[int]
    args: tuple[np.ndarray, ...]

    def __call__(self, *args):
        return sum(np.sum(value) for value in self.each(*args))

    def each(self, *args):
        """Return what the program sums: several outputs, of any shape."""
        values = list(args)
        for name, operands, detail in self.steps:
            values.append(OPERATIONS[name](detail, *(values[i] for i in operands)))
        return tuple(values[i] for i in self.outputs)

    def graph(self, argnums=None):
        return bw.trace(self, *self.args, argnums=argnums)

    def graph_of_each(self, argnums=None):
        """Return the network whose outputs are not summed."""
        return bw.trace(self.each, *self.args, argnums=argnums)

    def __repr__(self):
        shapes = [f"{a.dtype}{list(a.shape)}{'F' * (not a.flags.c_contiguous)}" for a in self.args]
        return f"Program({', '.join(shapes)}; {self.steps}; sum of {self.outputs})"


# Sines keep all numbers small, so that nothing overflows however long the program is.
OPERATIONS = {
    "sin": lambda _, a: np.sin(a),
    "negative": lambda _, a: -a,
    "scaled": lambda factor, a: factor * a,
    "square": lambda _, a: np.sin(a) ** 2,
    "add": lambda _, a, b: a + b,
    "multiply": lambda _, a, b: np.sin(a) * b,
    "maximum": lambda _, a, b: np.maximum(a, b),
    "where": lambda _, a, b: np.where(a > b, a, 0.5 * b),
    "matmul": lambda _, a, b: np.sin(a) @ b,
    "transpose": lambda axes, a: np.transpose(a, axes),
    "getitem": lambda index, a: a[index],
    "sum": lambda options, a: np.sum(a, **options),
    "mean": lambda options, a: np.mean(a, **options),
    "max": lambda options, a: np.max(a, **options),
    "ravel": lambda _, a: np.ravel(a),
    "newaxis": lambda place, a: np.expand_dims(a, place),
    "concatenate": lambda axis, a, b: np.concatenate([a, b], axis=axis),
    "stack": lambda axis, a, b: np.stack([a, b], axis=axis),
    "flip": lambda _, a: a[::-1],
    "single": lambda _, a: a.astype(np.float32),
    "constant": lambda seed, a: a * np.random.default_rng(seed).normal(size=a.shape),
    "masked": lambda _, a: np.sum(a[np.asarray(np.arange(a.shape[0]) % 2 == 0)]),
}

LARGEST = 4096


@st.composite
def programs(draw, lengths=(1, 2, 3, 7, 40), max_axes=3, max_steps=12, max_leaves=3):
    """Draw a program; its leaves and nodes have up to ``max_axes`` axes of these lengths."""
    random = Random(draw(st.integers(0, 2**32), label="seed"))
    numbers = np.random.default_rng(random.randrange(2**32))
    args = tuple(
        _leaf(random, numbers, lengths, max_axes)
        for _ in range(draw(st.integers(1, max_leaves), label="leaves"))
    )
    count = draw(st.integers(1, max_steps), label="steps")
    program = Program([], [], args)
    values = list(args)
    while len(program.steps) < count:
        step = _step(random, values)
        value = np.asarray(OPERATIONS[step[0]](step[2], *(values[i] for i in step[1])))
        if 0 < value.size <= LARGEST and value.ndim <= max_axes + 1:
            program.steps.append(step)
            values.append(value)
    program.outputs = sorted({len(values) - 1, *random.choices(range(len(values)), k=2)})
    return program


@st.composite
def networks(draw, **options):
    """Draw ``(graph, args)``; the output is one number."""
    program = draw(programs(**options))
    return program.graph(), program.args


@st.composite
def networks_of_any_outputs(draw, **options):
    """Draw ``(graph, args)``; there is one output, or several of any shape."""
    program = draw(programs(**options))
    graph = program.graph_of_each() if draw(st.booleans(), label="several") else program.graph()
    return graph, program.args


def seeds(graph, seed):
    """Return an S for the outputs of a graph, as ``S=`` takes it."""
    numbers = np.random.default_rng(seed)
    outputs = [graph.nodes[u] for u in graph.outputs]
    found = [numbers.normal(size=node.shape).astype(node.dtype)[()] for node in outputs]
    return optree.tree_unflatten(graph.gives, found)


def _leaf(random, numbers, lengths, max_axes):
    shape = tuple(random.choices(lengths, k=random.randint(0, max_axes)))
    while int(np.prod(shape)) > LARGEST:
        shape = shape[1:]
    value = np.asarray(numbers.normal(size=shape))
    layout = random.choice(["C", "C", "F", "strided"])
    if layout == "strided" and shape:
        return np.repeat(value, 2, axis=-1)[..., ::2]
    return np.asarray(value, order="F" if layout == "F" else "C")


def _step(random, values):
    """Choose an operation whose operands fit."""
    while True:
        name = random.choice(list(OPERATIONS))
        # The latest values are the likeliest operands: programs should be deep.
        first = max(random.choices(range(len(values)), k=2))
        a = values[first]
        if name in ("add", "multiply", "maximum", "where"):
            fitting = [i for i, b in enumerate(values) if _broadcast(a.shape, b.shape)]
            return name, _either_way(random, first, random.choice(fitting)), None
        if name == "matmul":
            fitting = [i for i, b in enumerate(values) if _product(a.shape, b.shape)]
            if fitting:
                return name, (first, random.choice(fitting)), None
        elif name in ("concatenate", "stack") and (a.ndim or name == "stack"):
            fitting = [i for i, b in enumerate(values) if a.shape == b.shape]
            axis = random.randrange(a.ndim + (name == "stack"))
            return name, (first, random.choice(fitting)), axis
        elif name in ("sum", "mean", "max") and a.ndim:
            axis = random.choice([None, *range(a.ndim), tuple(range(a.ndim))[-2:]])
            return name, (first,), {"axis": axis, "keepdims": random.random() < 0.5}
        elif name == "transpose" and a.ndim:
            return name, (first,), tuple(random.sample(range(a.ndim), a.ndim))
        elif name == "getitem" and a.ndim:
            return name, (first,), tuple(_index(random, length) for length in a.shape)
        elif name in ("flip", "masked") and a.ndim:
            return name, (first,), None
        elif name == "newaxis":
            return name, (first,), random.randint(0, a.ndim)
        elif name == "scaled":
            return name, (first,), random.choice([2, 0.5, -1.25, np.float64(0.1)])
        elif name == "constant":
            return name, (first,), random.randrange(100)
        elif name in ("sin", "negative", "square", "ravel", "single"):
            return name, (first,), None


def _either_way(random, first, second):
    return (first, second) if random.random() < 0.5 else (second, first)


def _index(random, length):
    start = random.randrange(length)
    return random.choice(
        [
            slice(None),
            slice(start, None),
            slice(None, None, random.choice([2, 3, -1])),
            slice(start, start + 1),
            start,
            [start, 0, start],
        ]
    )


def _broadcast(a, b):
    return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1], strict=False))


def _product(a, b):
    return a and b and a[-1] == b[0 if len(b) == 1 else -2] and _broadcast(a[:-2], b[:-2])


def mapping(graph, workers, seed):
    """Return a random mapping of a graph's nodes to partitions; some leaves are left out."""
    random = Random(seed)
    return [
        None if node.primitive == "leaf" and random.random() < 0.5 else random.randrange(workers)
        for node in graph.nodes
    ]


def bits(value):
    """Return all that must be equal in two values: dtype, shape and every bit."""
    array = np.asarray(value)
    return array.dtype.str, array.shape, array.tobytes()


def assert_same_bits(result, reference):
    """Hold a result's value, gradients and S at every node to those of another."""
    for name in ("value", "grads"):
        ours, theirs = (optree.tree_leaves(getattr(each, name)) for each in (result, reference))
        assert [bits(each) for each in ours] == [bits(each) for each in theirs], name
    sums = dict(result.S.items())
    assert sorted(sums) == sorted(reference.S)
    for u in reference.S:
        assert bits(sums[u]) == bits(reference.S[u]), f"S at node {u}"
