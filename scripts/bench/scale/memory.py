"""How much memory a network takes at its peak beyond the arrays that it is given.

Measured in a process of its own, which makes the arrays, notes what memory it has, builds the
network of them, runs one pass, asks for the gradient of every weight, and looks how high its memory
has been since. A smaller network goes through the same before, so that compiled code is there and
does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....protocol.derivatives.backward import backward
from ....protocol.errors import BackwaveError
from ....protocol.scalar import Network
from .passes import inputs_for, random_network

WARM_UP = 10_000
PROCESS = Path("/proc/self")


def can_measure() -> bool:
    """Whether this system tells a process its peak, and lets it forget earlier ones: Linux does."""
    return os.access(PROCESS / "clear_refs", os.W_OK)


def peaks(sizes: Sequence[int]) -> list[tuple[float, float]]:
    """Return for each size in edges the bytes an edge beyond the arrays given.

    First of edges given by target, then of the same edges in a random order.

    Raises:
        BackwaveError: the process that measures has failed; says how.

    """
    # Otherwise the allocator keeps what smaller arrays free, which hides what is taken anew.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", f"from {__name__} import tell; tell()", *map(str, sizes)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackwaveError(
            "the process that measures memory "
            + ("was killed, as happens where memory runs out" if done.returncode < 0 else "failed")
            + "".join(f": {line}" for line in done.stderr.strip().splitlines()[-1:])
        )
    return [(given, shuffled) for given, shuffled in json.loads(done.stdout)]


def _bytes_an_edge(edges: int) -> tuple[float, float]:
    network = random_network(edges)
    arrays = [network.source, network.target, network.weight]
    inputs = inputs_for(network)
    del network
    given = _peak_of(arrays, inputs)
    order = np.random.default_rng(0).permutation(len(arrays[0]))
    for k in range(3):
        arrays[k] = arrays[k][order]
    del order
    return given / len(arrays[0]), _peak_of(arrays, inputs) / len(arrays[0])


def _peak_of(arrays: Sequence[Any], inputs: Any) -> int:
    (PROCESS / "clear_refs").write_text("5")  # forget the peak
    before = _memory("VmRSS")
    result = backward(Network(*arrays), inputs)
    assert len(result.weight_gradient) == len(arrays[0])
    return _memory("VmHWM") - before


def _memory(what: str) -> int:
    """Return the memory that this process has (VmRSS) or once had (VmHWM), in bytes."""
    for line in (PROCESS / "status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == what:
            return int(value.split()[0]) * 1024
    raise BackwaveError(f"{PROCESS / 'status'} does not say {what}")


def tell() -> None:
    """Print what :func:`peaks` returns: what its process does."""
    _bytes_an_edge(WARM_UP)
    json.dump([_bytes_an_edge(int(edges)) for edges in sys.argv[1:]], sys.stdout)
