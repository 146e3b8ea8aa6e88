"""Copies of networks whose weights are tied, some random; and one after the other: a reference."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import optree

import backwave as bw

from .networks import bits

PIPELINES = ("gpipe", "1f1b")
SCHEDULES = ("level", "wave", "eager", *PIPELINES)

LONGEST = 24


@dataclass(repr=False)
class Case:
    """A random function of parameters and data, and data for each of its copies.

    Attributes:
        seed: all follows from this.
        params: a pytree; some leaves are used several times, some not at all.
        still: none or one argument more that is given once, and is not differentiated.
        data: the other arguments, for each copy.
        S: S at the outputs, or None where the value is one number and S is the article's 1.
        steps: each the name of an operation, its operands, and a detail; for whoever debugs.

    """

    seed: int
    params: Any
    still: tuple[Any, ...]
    data: list[tuple[Any, ...]]
    S: Any
    steps: list[tuple[str, tuple[int, ...], Any]]
    outputs: list[int]
    several: bool
    graph: Any = None

    def __call__(self, *args):
        values = optree.tree_leaves(args)
        for name, operands, detail in self.steps:
            values.append(OPERATIONS[name](detail, *(values[i] for i in operands)))
        found = [values[i] for i in self.outputs]
        if self.several:
            return {"first": found[0], "rest": found[1:]}
        return sum(np.sum(value) for value in found)

    def __repr__(self):
        arrays = map(np.asarray, optree.tree_leaves(self.params))
        kinds = [f"{a.dtype}{list(a.shape)}" for a in arrays]
        return f"Case({self.seed}: params {', '.join(kinds)}; {self.steps}; {self.outputs})"

    @property
    def copies(self):
        return len(self.data)

    @property
    def args(self):
        """All arguments of each copy."""
        return [(self.params, *self.still, *some) for some in self.data]

    @property
    def kept(self):
        """What a session takes: the parameters, and which arguments they are."""
        if not self.still:
            return self.params, 0
        return (
            ((self.params, *self.still), (0, 1))
            if self.seed % 2
            else ((*self.still, self.params), (1, 0))
        )

    def as_kept(self, grads):
        """Give gradients the structure of what a session takes."""
        if not self.still:
            return grads
        still = optree.tree_map(lambda _: None, self.still[0])
        return (grads, still) if self.seed % 2 else (still, grads)


# All shapes among (n, n), (n,), (1, n), (n, 1) and () go together; sines keep numbers small.
OPERATIONS = {
    "sin": lambda _, a: np.sin(a),
    "tanh": lambda _, a: np.tanh(a),
    "negative": lambda _, a: -a,
    "scaled": lambda factor, a: factor * a,
    "square": lambda _, a: np.sin(a) ** 2,
    "sum": lambda options, a: np.sum(a, **options),
    "max": lambda options, a: np.max(a, **options),
    "mean": lambda options, a: np.mean(a, **options),
    "transpose": lambda _, a: a.T,
    "flip": lambda _, a: a[::-1],
    "single": lambda _, a: a.astype(np.float32),
    "add": lambda _, a, b: a + b,
    "multiply": lambda _, a, b: np.sin(a) * b,
    "maximum": lambda _, a, b: np.maximum(a, b),
    "where": lambda _, a, b: np.where(a > b, a, 0.5 * b),
    "matmul": lambda _, a, b: np.sin(a) @ np.sin(b),
    "take": lambda axis, index, a: np.take(a, index, axis=axis),
    "masked": lambda _, mask, a: np.where(mask, a, -0.5),
}


def case(seed, copies=None):
    """Make a random case; with so many copies, or 1 to 8."""
    random, numbers = Random(seed), np.random.default_rng(seed)
    n = random.choice([1, 2, 3, 3, 4])
    params = _params(random, numbers, n)
    copies = random.randint(1, 8) if copies is None else copies
    kinds = random.choice([["x"], ["x", "x"], ["x", "tree"], ["tree", "number"], ["mask", "x"]])
    data = [tuple(_data(kind, numbers, n) for kind in kinds) for _ in range(copies)]
    still = (_data("tree", numbers, n),) if random.random() < 0.3 else ()
    made = Case(seed, params, still, data, None, [], [], random.random() < 0.3)
    values = [np.asarray(a)[()] for a in optree.tree_leaves((params, still, data[0]))]
    number_of_params = len(optree.tree_leaves(params))
    length = random.randint(2, LONGEST)
    while len(made.steps) < length:
        step = _step(random, values, number_of_params, n)
        if step is None:
            continue
        value = OPERATIONS[step[0]](step[2], *(values[i] for i in step[1]))
        if np.shape(value) in _shapes(n):
            made.steps.append(step)
            values.append(value)
    # A parameter that varies is in the sum, so that there is a network.
    floating = [i for i in range(number_of_params) if values[i].dtype.kind == "f"]
    last = len(values)
    made.steps.append(("multiply", (last - 1, random.choice(floating)), None))
    value = OPERATIONS["multiply"](None, *(values[i] for i in made.steps[-1][1]))
    values.append(value)
    made.outputs = [last]
    others = [i for i in range(len(values) - 1) if _depends(made, i, floating)]
    made.outputs += random.choices(others, k=random.randint(0, 2))
    made.graph = bw.trace(made, params, *still, *data[0], argnums=0)
    if len(set(made.graph.outputs)) < len(made.graph.outputs):  # one S at each
        made.outputs = [last]
        made.graph = bw.trace(made, params, *still, *data[0], argnums=0)
    if made.several or random.random() < 0.3:
        outputs = [made.graph.nodes[u] for u in made.graph.outputs]
        S = [numbers.normal(size=node.shape).astype(node.dtype)[()] for node in outputs]
        made.S = optree.tree_unflatten(made.graph.gives, S)
    return made


def shorter(drawn):
    """Return a case of the same parameters and data, whose function ends halfway."""
    first = len(optree.tree_leaves((drawn.params, drawn.still, drawn.data[0])))
    steps = drawn.steps[: len(drawn.steps) // 2]
    leaves = optree.tree_leaves(drawn.params)
    use = next(i for i, leaf in enumerate(leaves) if np.asarray(leaf).dtype.kind == "f")
    last = first + len(steps)
    steps = [*steps, ("multiply", (last - 1, use), None)]
    made = replace(drawn, S=None, steps=steps, outputs=[last], several=False)
    made.graph = bw.trace(made, *drawn.args[0], argnums=0)
    return made


def _depends(made, i, floating):
    """Whether a value depends on a parameter: an output must."""
    first = len(optree.tree_leaves((made.params, made.still, made.data[0])))
    if i < first:
        return i in floating
    _, operands, _ = made.steps[i - first]
    return any(_depends(made, k, floating) for k in operands)


def _shapes(n):
    return {(n, n), (n,), (1, n), (n, 1), ()}


def _array(random, numbers, n):
    shape = random.choice([(n, n), (n, n), (n,), (1, n), (n, 1), ()])
    value = np.asarray(numbers.normal(size=shape))
    if random.random() < 0.2:
        value = value.astype(np.float32)
    return np.asarray(value, order=random.choice("CCF"))


def _params(random, numbers, n):
    arrays = [_array(random, numbers, n) for _ in range(random.randint(2, 5))]
    form = random.choice(["array", "tuple", "dict", "nested"])
    if form == "array":
        return numbers.normal(size=(n, n))
    if form == "tuple":
        return tuple(arrays)
    if form == "dict":
        return {f"w{k}": a for k, a in enumerate(arrays)}
    return {"layers": [(arrays[0], arrays[1]), *arrays[2:]], "scale": numbers.normal()}


def _data(kind, numbers, n):
    if kind == "x":
        return numbers.normal(size=(n, n))
    if kind == "mask":
        return numbers.random((n, n)) < 0.5
    if kind == "number":
        return float(numbers.normal())
    return {"index": numbers.integers(0, n, n), "x": numbers.normal(size=(n, 1))}


def _step(random, values, number_of_params, n):
    """Choose an operation whose operands fit; None if this choice does not."""
    floating = [i for i, value in enumerate(values) if np.asarray(value).dtype.kind == "f"]
    some = [i for i in floating if i < number_of_params]
    # The latest values are the likeliest operands, and every third is a parameter.
    first = max(random.choices(floating, k=2))
    second = random.choice(some if random.random() < 0.6 else floating)
    a, b = np.asarray(values[first]), np.asarray(values[second])
    name = random.choice([*OPERATIONS, "matmul", "matmul"])
    if name in ("add", "multiply", "maximum", "where"):
        pair = (first, second) if random.random() < 0.5 else (second, first)
        return name, pair, None
    if name == "matmul":
        fits = a.ndim and b.ndim and a.shape[-1] == b.shape[0]
        return (name, (first, second), None) if fits else None
    if name in ("sum", "max", "mean"):
        axis = random.choice([None, *range(a.ndim)])
        return name, (first,), {"axis": axis, "keepdims": random.random() < 0.6}
    if name == "take":
        index = [i for i, value in enumerate(values) if np.asarray(value).dtype.kind == "i"]
        fits = index and a.ndim and a.shape[-1] == n
        return (name, (random.choice(index), first), -1) if fits else None
    if name == "masked":
        mask = [i for i, value in enumerate(values) if np.asarray(value).dtype.kind == "b"]
        return (name, (random.choice(mask), first), None) if mask else None
    if name in ("transpose", "flip") and not a.ndim:
        return None
    detail = random.choice([2, 0.5, -1.25]) if name == "scaled" else None
    return name, (first,), detail


def contiguous(graph, workers, seed):
    """Return a random mapping that a pipeline can have: ascending; parameters live anywhere."""
    random = Random(seed)
    cuts = sorted(random.randrange(len(graph.nodes) + 1) for _ in range(workers - 1))
    found = []
    for node in graph.nodes:
        ascending = sum(cut <= node.id for cut in cuts)
        leaf = next((each for each in graph.leaves if each.node == node.id), None)
        choices = [ascending]
        if leaf is not None:
            choices = [None, ascending]
            if leaf.differentiated:
                choices.append(random.randrange(workers))
        found.append(random.choice(choices))
    return found


def stacked(data):
    """Return the data of all copies as a session takes it: each array with a leading axis.

    One copy has no such axis.
    """
    if len(data) == 1:
        return data[0]
    return optree.tree_map(lambda *each: np.stack([np.asarray(a) for a in each]), *data)


@dataclass
class Reference:
    """What the passes of copies give, one after the other in this process."""

    value: Any
    grads: Any
    each: list[Any]


def reference(graph, args, *, S=None, combine="mean"):
    """Run the copies one after the other, and add their gradients in copy order.

    ``args`` has all arguments of each copy.
    """
    share = 1 / len(args) if combine == "mean" else 1.0
    if S is None:
        given = share
    else:
        given = optree.tree_map(lambda s: np.asarray(s)[()] * np.asarray(s).dtype.type(share), S)
    each = [bw.backward(graph, *some, S=given) for some in args]
    grads, value = each[0].grads, each[0].value
    for other in each[1:]:
        grads = optree.tree_map(lambda a, b: a + b, grads, other.grads)
        value = optree.tree_map(lambda a, b: a + b, value, other.value)
    if combine == "mean":
        value = optree.tree_map(lambda a: a / np.asarray(a).dtype.type(len(args)), value)
    return Reference(value, grads, each)


def assert_same_tree(ours, theirs, what=""):
    """Hold a pytree to another: the same structure, and every bit of every leaf."""
    (mine, structure), (others, expected) = map(optree.tree_flatten, (ours, theirs))
    assert structure == expected, what
    assert [bits(a) for a in mine] == [bits(a) for a in others], what


# A network with a tied parameter and nested ones, for all that follows.


def loss(params, x, y):
    """The tied weight is used in every layer."""
    h = x
    for b in params["layers"]:
        h = np.tanh(h @ params["tied"] + b)
    return np.mean((h @ params["out"][0] - y) ** 2) + params["out"][1] ** 2


def weights(seed=0, n=3, dtype=float):
    numbers = np.random.default_rng(seed)

    def normal(*shape):
        return numbers.normal(size=shape).astype(dtype)

    return {
        "layers": [normal(n), normal(n), normal(n)],
        "out": (normal(n), dtype(0.25)),
        "tied": np.asfortranarray(normal(n, n)),
    }


def batches(copies, rows=4, n=3, seed=1, dtype=float):
    """Data of each copy: arguments x and y."""
    numbers = np.random.default_rng(seed)
    x = numbers.normal(size=(copies, rows, n)).astype(dtype)
    y = numbers.normal(size=(copies, rows)).astype(dtype)
    return list(zip(x, y, strict=True))


def traced(params=None, rows=4, f=loss, dtype=float):
    params = weights(dtype=dtype) if params is None else params
    return bw.trace(f, params, *batches(1, rows, dtype=dtype)[0], argnums=0)


def ran(params, data, graph=None, **options):
    return reference(graph or traced(params), [(params, *some) for some in data], **options)


def flat(tree):
    return np.concatenate([np.ravel(leaf) for leaf in optree.tree_leaves(tree)])


def close(ours, theirs, rtol):
    """Hold a pytree to another by the norm of the difference, leaf by leaf."""
    assert optree.tree_structure(ours) == optree.tree_structure(theirs)
    for a, b in zip(optree.tree_leaves(ours), optree.tree_leaves(theirs), strict=True):
        error = np.linalg.norm(np.ravel(a - b))
        assert error <= rtol * max(np.linalg.norm(np.ravel(b)), 1e-300), (a, b)


def residents(session):
    """What the workers hold of the networks that they have loaded."""
    return [each for worker in session._crew._workers for each in worker._loaded.values()]


def spoil(tree):
    """Write to all arrays, as their owner may."""
    for leaf in optree.tree_leaves(tree):
        if isinstance(leaf, np.ndarray):
            assert leaf.flags.writeable
            leaf[...] = 777.0


def trained(graph, params, steps, optimizer, **options):
    """The parameters after each step of a plain loop in this process."""
    leaves, structure = optree.tree_flatten(params)
    leaves = [np.asarray(leaf)[()] for leaf in leaves]
    states = [None] * len(leaves)
    for number, data in enumerate(steps, 1):
        params = optree.tree_unflatten(structure, leaves)
        grads = reference(graph, [(params, *some) for some in data], **options).grads
        moved = [
            optimizer(w, S, state, number)
            for w, S, state in zip(leaves, optree.tree_leaves(grads), states, strict=True)
        ]
        leaves, states = map(list, zip(*moved, strict=True))
        yield optree.tree_unflatten(structure, leaves)


def require_closed_forms(result, graph, copies, shared):
    """Hold the ledger of a step to closed forms; ``shared``: parameters crossed in it."""
    ledger = result.ledger
    ledger.check()
    varying = [leaf for leaf in graph.leaves if leaf.differentiated]
    with_S = sum(graph.on_network[leaf.node] for leaf in varying)
    assert ledger.copies == copies
    assert ledger.messages == ledger.multiplies == copies * graph.num_edges
    assert ledger.copy_sums == (copies - 1) * with_S
    assert ledger.waves == copies * graph.num_levels
    cut = copies * result.plan.cut_edges
    assert ledger.cross_messages + ledger.combined == cut
    assert ledger.retransmissions == 0
    frames, size = crossings(result.plan) if shared else (0, 0)
    assert (ledger.parameter_frames, ledger.parameter_bytes) == (frames, size)


def crossings(plan):
    """How many frames parameters need, one from each partition to each that uses some; bytes."""
    lives, nodes = plan.partition, plan.graph.nodes
    crossing = {
        (lives[z], lives[node.id], z)
        for node in nodes
        for z in node.inputs
        if z in plan.parameters and lives[z] != lives[node.id]
    }
    size = sum(nodes[z].dtype.itemsize * int(np.prod(nodes[z].shape)) for *_, z in crossing)
    return len({(sender, receiver) for sender, receiver, _ in crossing}), size


def of_indices(params, x):
    return np.sum(np.tanh(params["table"][params["rows"]]) * params["mask"] * x)


def scalar_network():
    return bw.Network.from_graph(bw.trace(lambda w: np.tanh(w) ** 2, 1.5))
