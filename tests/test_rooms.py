"""Who may import whom: the rooms are kept apart by reading the sources."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_USE = {
    "protocol": {"protocol"},
    "scheduler": {"protocol", "scheduler"},
    "actors": {"protocol", "scheduler", "actors"},
    "scripts": {"protocol", "scheduler", "actors", "scripts", "face"},
    "backwave": {"protocol", "scheduler", "actors", "face"},
}
BY_NAME = ("import_module", "__import__")


def sources(room):
    return sorted((ROOT / room).rglob("*.py"))


def imports(text, package):
    """Every module that a text imports, also inside functions, by its absolute name.

    ``package`` is the one that the text is in, by its parts: relative imports begin there.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *([node.module] if node.module else [])]
            yield from (".".join([*module, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in BY_NAME and node.args and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)


def imports_of(path):
    folders = path.relative_to(ROOT).parent.parts
    package = folders if folders[0] == "backwave" else ("backwave", *folders)
    return imports(path.read_text(), list(package))


def room_of(name):
    """The room that a module is in; the public face; None if it is not of this house."""
    house, _, inside = name.partition(".")
    if house != "backwave":
        return None
    room = inside.partition(".")[0]
    return room if room in MAY_USE and room != "backwave" else "face"


@pytest.mark.parametrize("room", MAY_USE)
def test_a_room_uses_only_what_it_may(room):
    used = set()
    for path in sources(room):
        for name in imports_of(path):
            found = room_of(name)
            if found is not None:
                assert found in MAY_USE[room], f"{path.relative_to(ROOT)} imports {name}"
                used.add(found)
    # The lower rooms use all that they may: if this finds less, the test has gone blind.
    assert used >= MAY_USE[room] - {"face", "scripts"}


@pytest.mark.parametrize(
    ("library", "may_use"),
    [("ray", lambda file: file == "actors/cluster.py" or file.startswith("scripts/")),
     ("cupy", lambda file: file == "actors/device.py")],
)  # fmt: skip
def test_a_library_of_machines_is_used_in_one_place(library, may_use):
    users = {
        str(path.relative_to(ROOT))
        for room in MAY_USE
        for path in sources(room)
        if any(name.split(".")[0] == library for name in imports_of(path))
    }
    assert users
    assert {file for file in users if not may_use(file)} == set()


def test_examples_are_plain_numpy():
    programs = sorted((ROOT / "examples").glob("*.py"))
    assert len(programs) >= 3
    for path in programs:
        used = {name.split(".")[0] for name in imports_of(path)}
        assert "backwave" not in used, path
        assert "numpy" in used, path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import ray.util", "ray.util"),
        ("from ray import get", "ray.get"),
        ("def f():\n    import cupy as xp", "cupy"),
        ("class A:\n    def f(self):\n        from ..actors.worker import Worker",
         "backwave.actors.worker.Worker"),
        ("if TYPE_CHECKING:\n    from .. import actors", "backwave.actors"),
        ("from . import wire", "backwave.protocol.wire"),
        ("import importlib\nimportlib.import_module('ray')", "ray"),
        ("__import__('backwave.scripts')", "backwave.scripts"),
    ],
)  # fmt: skip
def test_imports_are_found_wherever_they_stand(text, name):
    assert name in imports(text, ["backwave", "protocol"])


def test_names_are_put_into_their_rooms():
    rooms = {"backwave.protocol.wire": "protocol", "backwave.backward": "face", "backwave": "face"}
    assert {name: room_of(name) for name in rooms} == rooms
    assert room_of("ray.actor") is None
