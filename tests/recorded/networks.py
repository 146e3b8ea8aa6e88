"""The networks whose plans, ledgers and bits are recorded: every example, and scalar networks."""

from functools import cache

import numpy as np

import backwave as bw

from ..networks import EXAMPLES, example
from ..protocol.scalar.drawn import network


def _drawn(seed):
    made = network(seed)
    return made.network, (made.inputs,)


def _ones(net):
    return net, (np.linspace(-1.0, 1.0, len(net.inputs)),)


def _viewed():
    made = network(3)
    net = made.network
    fed = np.setdiff1d(np.arange(net.nodes), net.inputs)
    return net.weights_as_nodes(), (np.concatenate([made.inputs, net.weight, net.bias[fed]]),)


def _loop(w, x):
    total = 0.0
    for i in range(len(w)):
        total = np.tanh(total * w[i] + x[i] * 2.0)
    return np.where(total > 0.0, total, total**2)


def _traced():
    args = np.linspace(-1, 1, 6), np.linspace(0.5, 2, 6)
    return bw.Network.from_graph(bw.trace(_loop, *args)), (np.concatenate(args),)


SCALAR = {
    "network article": lambda: _ones(bw.Network.article()),
    "network layered": lambda: _ones(bw.Network.layered(7, 4, 3)),
    "network near by": lambda: _ones(bw.Network.layered(40, 3, 4, reach=2, activation="sin")),
    "network uniform": lambda: _ones(bw.Network.random(60, 4)),
    "network poisson": lambda: _ones(bw.Network.random(80, 3, law="poisson", seed=1)),
    "network power": lambda: _ones(bw.Network.random(70, 5, law="power", inputs=9, seed=2)),
    "network large": lambda: _ones(bw.Network.random(3000, 10)),
    "network drawn 0": lambda: _drawn(0),
    "network drawn 1": lambda: _drawn(1),
    "network drawn 2": lambda: _drawn(2),
    "network of weights as nodes": _viewed,
    "network of a loop": _traced,
}

# Examples that came after the record, which is there to hold the code to what it was before.
LATER = ("transformer_block",)
NAMES = [*(path.stem for path in EXAMPLES if path.stem not in LATER), *SCALAR]


@cache
def recorded_network(name):
    """Return a network and the arguments of its pass."""
    if name in SCALAR:
        return SCALAR[name]()
    return example(next(path for path in EXAMPLES if path.stem == name))
