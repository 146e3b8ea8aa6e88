"""Who may import whom: the rooms are kept apart by reading the sources."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_USE = {
    "protocol": {"protocol"},
    "scheduler": {"protocol", "scheduler"},
    "actors": {"protocol", "scheduler", "actors"},
    "scripts": {"protocol", "scheduler", "actors", "scripts"},
    "backwave": {"protocol", "scheduler", "actors"},
}
RAY = {"actors/cluster.py", "scripts/bench/onray.py"}
CUPY = {"actors/device.py"}


def sources(room):
    return sorted((ROOT / room).rglob("*.py"))


def imports(path):
    """Every module that a file imports, also inside functions, by its absolute name."""
    package = ["backwave", *path.relative_to(ROOT).parent.parts]
    if package[1:] == ["backwave"]:
        package = ["backwave"]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *([node.module] if node.module else [])]
            yield from (".".join([*module, alias.name]) for alias in node.names)


@pytest.mark.parametrize("room", MAY_USE)
def test_a_room_uses_only_what_it_may(room):
    seen = 0
    for path in sources(room):
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "backwave" or len(parts) < 2 or parts[1] not in MAY_USE:
                continue
            seen += 1
            assert parts[1] in MAY_USE[room], f"{path.relative_to(ROOT)} imports {name}"
    assert seen, f"no import of a room was found in {room}: the test has gone blind"


@pytest.mark.parametrize(("library", "allowed"), [("ray", RAY), ("cupy", CUPY)])
def test_a_library_of_machines_is_used_in_one_place(library, allowed):
    users = {
        str(path.relative_to(ROOT))
        for room in MAY_USE
        for path in sources(room)
        if any(name.split(".")[0] == library for name in imports(path))
    }
    assert users == allowed


def test_examples_are_plain_numpy():
    for path in sources("examples"):
        used = {name.split(".")[0] for name in imports(path)}
        assert "backwave" not in used, path
        assert "numpy" in used, path
