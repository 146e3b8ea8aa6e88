"""One local Ray for all tests of this folder: starting it takes seconds."""

from pathlib import Path

import pytest

import backwave as bw
from backwave.scripts.load import load_target

from ..networks import example

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
SMALL = ["article", "digits_mlp", "rosenbrock"]
"""Those with few enough nodes for an actor a node; an actor is a process."""


def traced(name):
    """Return the network of an example with respect to its first argument, and its arguments."""
    return example(ROOT / "examples" / f"{name}.py")


def function_of(name):
    """Return the function of an example."""
    return load_target(str(ROOT / "examples" / f"{name}.py")).function


@pytest.fixture(scope="session")
def cluster():
    with bw.Cluster(workers=2, deadline=120) as running:
        yield running
