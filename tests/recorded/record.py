"""What is recorded of a network: hashes of its plans, ledgers and bits.

``python -m tests.recorded.record`` writes the file anew, from the code as it stands: only where a
plan was meant to change.
"""

import hashlib
import json
import sys
from dataclasses import fields
from itertools import product
from pathlib import Path

import numba
import numpy as np
import optree
import scipy
from threadpoolctl import threadpool_info

import backwave as bw

from .networks import NAMES, recorded_network

FILE = Path(__file__).with_name("hashes.json")
SCHEDULES = ("level", "wave", "eager")
COUNTS = (
    "nodes", "edges", "messages", "sums", "multiplies", "receivers", "outputs", "waves",
    "cut_edges", "cross_messages", "combined", "frames", "payload_bytes", "header_bytes",
    "recomputed", "retransmissions", "forward_frames", "forward_bytes", "inputs_without_gradient",
)  # fmt: skip
MOST_ACTORS = 2000
PIECE = (
    "names", "start", "kind", "op", "live", "level", "wave", "inputs", "source", "weight", "bias",
    "slots", "opens", "extra", "leaves", "constants", "constant_values", "output", "numbers",
    "edges", "takes", "values", "messages", "given", "fixed", "fixed_values", "combines",
)  # fmt: skip


def cases(name):
    """Yield the name and the options of each plan that is recorded of a network."""
    net, _ = recorded_network(name)
    scalar = isinstance(net, bw.Network)
    nodes = net.nodes if scalar else len(net.nodes)
    ways = [("levels", workers, "partition") for workers in (1, 2, 3, 4)]
    ways += [(None, 2, granularity) for granularity in ("node", "layer")]
    ways += [("width", workers, "partition") for workers in (1, 2, 3, 4) if scalar]
    ways.append(("mapping", 3, "partition"))
    for (partitioner, workers, granularity), schedule in product(ways, SCHEDULES):
        if granularity == "node" and nodes > MOST_ACTORS:
            continue
        title = f"{schedule} {partitioner or granularity} {workers}"
        mapping = partitioner
        if partitioner == "mapping":
            mapping = np.random.default_rng(len(name)).integers(0, workers, nodes)
        options = {
            "workers": workers, "granularity": granularity, "partitioner": mapping,
            "schedule": schedule,
        }  # fmt: skip
        yield title, options
        if scalar:
            yield f"{title} combiner", {**options, "combiner": True}


def of_bytes(*parts):
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part if isinstance(part, bytes) else str(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def of_array(value):
    value = np.asarray(value)
    return of_bytes(value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes())


def _plain(value):
    """Return a field of a piece as something whose text says all."""
    if isinstance(value, np.ndarray):
        return of_array(value)
    if isinstance(value, dict):
        return sorted((int(key), _plain(each)) for key, each in value.items())
    if hasattr(value, "into"):
        return _plain(value.into), None if value.pick is None else _plain(value.pick)
    return value if isinstance(value, str) else str(value)


def of_plan(plan):
    """Return the hash of a plan, but for the frames that bring S to the outputs.

    They came later than the record: S = 1 was no value like any other then.
    """
    kept = [f.number for f in plan.frames if not (f.kind == "sums" and f.sender == -1)]
    new = {number: place for place, number in enumerate(kept)}
    stages = [
        (
            s.number, s.partition, s.round, list(s.leaves), list(s.forward), list(s.backward),
            [new[f] for f in s.receives if f in new], [new[f] for f in s.sends],
        )
        for s in plan.stages
    ]  # fmt: skip
    frames = [
        (
            new[f.number], f.kind, f.sender, f.receiver, f.sent_by, f.received_by, list(f.keys),
            f.messages, f.payload_bytes,
        )
        for f in plan.frames
        if f.number in new
    ]  # fmt: skip
    pieces = []
    for partition, part in enumerate(plan.parts):
        if hasattr(part, "piece"):
            pieces.append(_of_piece(plan, partition, part.piece, new))
    partition = [int(place) for place in plan.partition]
    return of_bytes(
        partition, plan.partitions, plan.devices, plan.cut_edges, stages, frames, pieces
    )


def _of_piece(plan, partition, piece, new):
    found = {field.name: getattr(piece, field.name) for field in fields(piece)}
    found["given"] = {
        f.number: f.leaves
        for f in plan.frames
        if f.leaves is not None and partition in (f.sender, f.receiver)
    }
    for name in ("takes", "values", "messages", "given"):
        found[name] = {new[number]: value for number, value in found[name].items()}
    return [(name, _plain(found[name])) for name in PIECE]


def of_ledger(ledger):
    return of_bytes([(name, int(getattr(ledger, name))) for name in COUNTS])


def of_result(net, result):
    if isinstance(net, bw.Network):
        found = [result.S, result.grads, result.weight_gradient, result.bias_gradient]
    else:
        found = [*optree.tree_leaves(result.grads), *(result.S[u] for u in sorted(result.S))]
    return of_bytes(*map(of_array, [result.value, *found]))


def of_network(name):
    """Record a network: of each case its plan and its ledger, and its bits where they differ."""
    net, args = recorded_network(name)
    bits = of_result(net, bw.backward(net, *args))
    found = {}
    for title, options in cases(name):
        plan = bw.plan(net, **options)
        result = bw.run_locally(plan, *args)
        found[title] = [of_plan(plan), of_ledger(result.ledger)]
        mine = of_result(net, result)
        if mine != bits:
            found[title].append(mine)
    on_gpus = of_plan(bw.plan(net, 3, partitioner="levels", gpus=2))
    return {"bits": bits, "gpus": on_gpus, "cases": found}


def arithmetic():
    """Say on what the bits depend: the libraries, the processor, and how it rounds."""
    x = np.random.default_rng(0).normal(size=(67, 67))
    rounded = [np.exp(x), np.tanh(x), np.sin(x), np.log1p(x * x), x @ x, np.linalg.inv(x)]
    rounded += [np.exp(x.astype("f4")), x.astype("f4") @ x.astype("f4"), scipy.special.erf(x)]
    blas = sorted({str(library.get("architecture")) for library in threadpool_info()})
    versions = [module.__version__ for module in (np, scipy, numba)]
    return of_bytes(*map(of_array, rounded), blas, versions, sys.byteorder)


if __name__ == "__main__":
    recorded = {"arithmetic": arithmetic(), "networks": {n: of_network(n) for n in NAMES}}
    FILE.write_text(json.dumps(recorded, indent=1) + "\n")
    plans = sum(len(each["cases"]) for each in recorded["networks"].values())
    print(f"{plans} plans, ledgers and sets of bits of {len(NAMES)} networks: {FILE}")
