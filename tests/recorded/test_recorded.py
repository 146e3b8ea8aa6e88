"""Plans, ledgers and bits stay what they were when they were recorded."""

import json

import numpy as np
import pytest

from ..networks import LONG
from .networks import NAMES
from .record import FILE, arithmetic, of_network

RECORDED = json.loads(FILE.read_text())
SAME_ARITHMETIC = RECORDED["arithmetic"] == arithmetic()
# Of the scalar networks some have operations that are compiled for them, or fire node by node.
SLOW = (
    *LONG, "hidden_markov", "network large", "network near by", "network of weights as nodes",
    "network poisson", "network power",
)  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.long] * (n in SLOW)) for n in NAMES]
)
def test_plans_ledgers_and_bits_are_as_recorded(name):
    was = RECORDED["networks"][name]
    with np.errstate(all="ignore"):
        now = of_network(name)
    assert list(now["cases"]) == list(was["cases"])
    assert now["gpus"] == was["gpus"]
    for title, hashes in was["cases"].items():
        plan, ledger, *bits = now["cases"][title]
        assert plan == hashes[0], f"another plan: {title}"
        assert ledger == hashes[1], f"another ledger: {title}"
        # Only a combiner sums in another order than one pass in this process.
        assert not bits or "combiner" in title, f"other bits than in one place: {title}"
        if SAME_ARITHMETIC:
            assert bits == hashes[2:], f"other bits: {title}"
    if SAME_ARITHMETIC:
        assert now["bits"] == was["bits"]


def test_the_arithmetic_of_this_machine_is_that_of_the_record():
    if not SAME_ARITHMETIC:
        pytest.skip("another processor or library: bits are held to those of one place only")
