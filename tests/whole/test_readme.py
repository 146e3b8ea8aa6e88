"""The README tells the truth: its code runs, and its counts are those of the commands."""

import inspect
import re
import tracemalloc

import numpy as np
import pytest

import backwave as bw
from backwave.protocol.rules import TABLE
from backwave.scripts import functions
from backwave.scripts.load import load_target

from .conftest import EXAMPLES, ROOT

README = (ROOT / "README.md").read_text()
EXAMPLES_AT = ROOT / "examples"
LIST = (EXAMPLES_AT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def python_blocks(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def rows(text):
    """Yield each row of the Markdown tables in a text, as a dictionary by column."""
    header = None
    for line in text.splitlines():
        if not line.startswith("|"):
            header = None
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if header is None:
            header = cells
        elif not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            yield dict(zip(header, cells, strict=True))


def examples_in(text):
    """Return ``(name, row)`` for each row of a table that begins with an example."""
    found = []
    for row in rows(text):
        name = re.search(r"(\w+)\.py\b", next(iter(row.values())))
        if name and name[1] in EXAMPLES:
            found.append((name[1], row))
    return found


@pytest.fixture
def _table_as_it_was():
    before = dict(TABLE)
    yield
    TABLE.clear()
    TABLE.update(before)


def is_of_single_numbers(block):
    return "bw.Network(" in block


@pytest.mark.usefixtures("cluster", "_table_as_it_was")
@pytest.mark.parametrize(
    "single",
    [False, pytest.param(True, marks=pytest.mark.long)],  # which three processes compile
    ids=["of arrays", "of single numbers, too"],
)
def test_the_python_of_the_readme_runs_and_the_big_network_takes_no_memory(single):
    names = {"__name__": "readme"}
    blocks = python_blocks(README)
    assert 0 < sum(map(is_of_single_numbers, blocks)) < len(blocks)
    (big,) = (block for block in blocks if "bw.Shape(" in block)
    for block in blocks:
        if is_of_single_numbers(block) and not single:
            continue
        if block is big:
            tracemalloc.start()
        exec(block, names)
        if block is big:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    assert names["big"].nodes[0].shape == (100_000, 50_000)
    assert peak < 1_000_000


@pytest.mark.usefixtures("_table_as_it_was")
def test_the_rule_of_the_contributing_page_works():
    (code,) = python_blocks(CONTRIBUTING)
    before = set(TABLE)
    names = {"__name__": "contributing"}
    exec(code, names)
    (name,) = TABLE.keys() - before  # what the page defines has no rule yet
    function = names[name]
    arguments = np.linspace(0.3, 0.7, 2 * function.nin).reshape(function.nin, 2)
    bw.check_grads(function)(*arguments)


@pytest.mark.parametrize(("name", "row"), examples_in(README), ids=lambda value: str(value)[:20])
def test_every_number_in_the_table_of_examples_is_true(name, row):
    target = load_target(str(ROOT / "examples" / f"{name}.py"))
    graph = bw.trace(target.function, *target.args, argnums=0)
    counts = {"V": graph.num_nodes, "E": graph.num_edges, "levels": graph.num_levels}
    said = {
        column: int(cell.replace(",", ""))
        for column, cell in row.items()
        if re.fullmatch(r"[\d,]+", cell)
    }
    assert said == {column: counts.get(column) for column in said}


def test_the_readme_has_a_table_of_examples():
    named = [name for name, row in examples_in(README) if "V" in row]
    assert len(named) >= 3
    assert len(named) == len(set(named))


def test_the_list_of_examples_is_whole_and_its_functions_are_theirs():
    programs = {str(path.relative_to(EXAMPLES_AT)) for path in EXAMPLES_AT.rglob("*.py")}
    assert set(re.findall(r"\]\(([\w/]+\.py)\)", LIST)) == programs
    listed = examples_in(LIST)
    assert sorted(name for name, _ in listed) == EXAMPLES
    for name, row in listed:
        assert row["Example"] == f"[`{name}.py`]({name}.py)"
        function = load_target(str(ROOT / "examples" / f"{name}.py")).function
        assert row["Function"] == f"`{function.__name__}{inspect.signature(function)}`"


def test_the_commands_of_the_readme_exist(capsys):
    from backwave.scripts.main import main

    command, checked = None, 0
    for row in rows(README):
        if "command" not in row:
            continue
        called = re.match(r"`backwave ([a-z]+)", row["command"])
        if called:  # a row of another option begins with an ellipsis
            command = called[1]
        with pytest.raises(SystemExit):
            main([command, "--help"])
        said = capsys.readouterr().out
        for option in re.findall(r"--[a-z][a-z-]+", row["command"]):
            assert option in said, f"backwave {command} {option}"
            checked += 1
    assert checked >= 5


@pytest.mark.skipif(
    functions.versions() not in (ROOT / "docs" / "functions.md").read_text(),
    reason="counted with other versions",
)
def test_the_numbers_of_rules_and_functions_are_true():
    said = re.search(r"(\d+)\s(?:rules|primitives)[^.]*?\smake\s(\d+)\sfunctions", README)
    assert tuple(map(int, said.groups())) == functions.count()
