"""One local Ray for all tests of this folder: starting it takes seconds."""

from pathlib import Path

import pytest

import backwave as bw

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
SMALL = ["article", "digits_mlp", "rosenbrock"]
"""Those with few enough nodes for an actor a node; an actor is a process."""


@pytest.fixture(scope="session")
def cluster():
    with bw.Cluster(workers=2, deadline=120) as running:
        yield running
