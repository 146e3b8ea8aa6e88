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
RAY = ("actors/cluster.py", "actors/ray_engine.py", "actors/ray_join.py")


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


# The rooms of the protocol, from the ground up: each may use those before it, and itself.
GROUND = (
    "errors", "arrays", "pytree", "blas", "source_line", "timeline", "wire", "message", "ledger",
    "outline", "layout", "memory", "record", "parameters", "residents", "optimizers",
)  # fmt: skip
ARTICLE = ("parts", "wires", "finite", "checkpoints", "node", "wave", "tensor_nodes", "result")
FLOORS = [
    GROUND, ("rules",), ARTICLE, ("graph",), ("scalar", "tracing"), ("rewrites",), ("derivatives",),
]  # fmt: skip


def floor_of(name):
    """On which floor of the protocol a module stands; None if it is of another room."""
    parts = name.split(".")
    if parts[:2] != ["backwave", "protocol"] or len(parts) == 2:
        return None
    found = [k for k, floor in enumerate(FLOORS) if parts[2] in floor]
    assert found, f"{name} stands on no floor"
    return found[0]


def house():
    """The modules of the house, and which others each imports: at the top, inside functions and
    for types only. A folder's face stands for what it hands on."""
    files = {}
    for room in MAY_USE:
        for path in sources(room):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts if parts[0] == "backwave" else ("backwave", *parts))
            files[name.removesuffix(".__init__")] = path

    def file_of(name):
        while name and name not in files:
            name = name.rpartition(".")[0]
        return name

    return {
        name: {found for each in imports_of(path) if (found := file_of(each)) and found != name}
        for name, path in files.items()
    }


def circles(arrows):
    """The circles among modules that import each other, however far around."""
    found = []
    import networkx

    for circle in networkx.strongly_connected_components(networkx.DiGraph(
        [(name, other) for name, others in arrows.items() for other in others]
    )):  # fmt: skip
        if len(circle) > 1:
            found.append(sorted(circle))
    return found


def test_no_file_stands_in_a_circle():
    arrows = house()
    assert len(arrows) > 150
    # A face imports what it hands on, and is imported in its stead: it is in no circle itself.
    faces = {name for name in arrows if (ROOT / path_of(name) / "__init__.py").exists()}
    real = [[name for name in circle if name not in faces] for circle in circles(arrows)]
    assert [circle for circle in real if len(circle) > 1] == []


def path_of(name):
    parts = name.split(".")
    return "/".join(parts if parts[1:2] in ([], ["scipy"]) else parts[1:])


def test_a_circle_is_found_however_far_it_goes_round():
    arrows = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set()}
    assert circles(arrows) == [["a", "b", "c"]]
    assert circles({**arrows, "c": {"d"}}) == []


def test_no_arrow_of_the_protocol_goes_up():
    seen = set()
    for name, others in house().items():
        here = floor_of(name)
        for other in others:
            there = floor_of(other)
            if here is None or there is None:
                continue
            assert there <= here, f"{name} imports {other}, which stands above it"
            assert here > there or name.split(".")[2] == other.split(".")[2] or here in (0, 2), (
                f"{name} imports {other}, and neither room may know of the other"
            )
            seen.add((here, there))
    assert len(seen) >= 15  # if this finds less, the test has gone blind


GROUND_FOR_PLANS = {
    "errors", "outline", "layout", "message", "ledger", "timeline", "residents", "record",
}  # fmt: skip


def test_the_scheduler_knows_a_network_by_its_outline_alone():
    used = {
        other.split(".")[2]
        for name, others in house().items()
        if name.startswith("backwave.scheduler.")
        for other in others
        if other.startswith("backwave.protocol.")
    }
    assert used == GROUND_FOR_PLANS


@pytest.mark.parametrize(
    ("library", "may_use"),
    [("ray", lambda file: file in RAY or file.startswith("scripts/")),
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
