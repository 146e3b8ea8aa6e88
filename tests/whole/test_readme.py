"""The README tells the truth: its code runs, and its counts are those of the commands."""

import re
import tracemalloc

import pytest

import backwave as bw
from backwave.protocol.rules import TABLE
from backwave.scripts.load import load_target

from .conftest import EXAMPLES, ROOT

README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def python_blocks(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_python_of_the_readme_runs_and_the_big_network_takes_no_memory(cluster):
    names = {}
    small, big = python_blocks(README)
    exec(small, names)
    tracemalloc.start()
    exec(big, names)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert names["big"].nodes[0].shape == (100_000, 50_000)
    assert peak < 1_000_000


def test_the_rule_of_the_contributing_page_works():
    import numpy as np
    from scipy.special import expit

    (code,) = python_blocks(CONTRIBUTING)
    assert "expit" not in TABLE
    try:
        exec(code, {})
        gradient = bw.grad(lambda z: np.sum(expit(z)))(np.array([0.0, 1.0]))
        np.testing.assert_allclose(gradient, expit([0, 1]) * expit([0, -1]), rtol=1e-14)
    finally:
        TABLE.pop("expit", None)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_table_of_examples_has_the_right_counts(name):
    target = load_target(str(ROOT / "examples" / f"{name}.py"))
    graph = bw.trace(target.function, *target.args, argnums=0)
    row = f"| `examples/{name}.py` | {graph.num_nodes} | {graph.num_edges} | {graph.num_levels} |"
    assert row in README


def test_the_commands_of_the_readme_exist(capsys):
    from backwave.scripts.main import main

    with pytest.raises(SystemExit):
        main(["run", "--help"])
    said = capsys.readouterr().out
    options = set(re.findall(r"`[^`]*?(--[a-z][a-z-]+)", README)) - {"--json"}
    assert options
    assert all(option in said for option in options), options
