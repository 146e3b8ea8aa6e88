"""The commands with the engine in this process, and what they say to mistakes."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from backwave.actors.cluster import Cluster
from backwave.scripts.bench.measure import of_times
from backwave.scripts.main import main

from ..networks import SHORT_EXAMPLES

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(str(path) for path in (ROOT / "examples").glob("*.py"))


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="mine.py"):
        (tmp_path / name).write_text("import numpy as np\n" + text)
        return name

    return write_file


def said_json(capsys, *arguments):
    assert main([*arguments, "--json"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    return json.loads(output.out)


@pytest.mark.parametrize(
    ("path", "granularity"),
    [(path, "partition") for path in EXAMPLES]
    + [(str(path), granularity) for path in SHORT_EXAMPLES for granularity in ("node", "layer")],
    ids=lambda value: Path(value).stem,
)
def test_run_in_this_process(capsys, path, granularity):
    said = said_json(
        capsys, "run", path, "--engine", "local", "--granularity", granularity, "--workers", "3"
    )
    assert said["ledger"]["messages"] == said["edges"]
    assert said["max_difference_from_local"] == 0
    assert said["finite_difference_error"] < 1e-6
    assert (said["engine"], said["granularity"]) == ("local", granularity)
    assert sum(worker["nodes"] for worker in said["workers"]) >= said["nodes"]
    assert Path(said["trace"]).is_file()


@pytest.mark.parametrize("schedule", ["level", "wave", "eager"])
def test_run_follows_the_schedule_that_is_named(capsys, schedule):
    said = said_json(capsys, "run", EXAMPLES[0], "--engine", "local", "--schedule", schedule)
    assert said["schedule"] == schedule
    assert said["max_difference_from_local"] == 0


def test_run_prints_tables_within_80_columns(capsys):
    assert main(["run", EXAMPLES[1], "--engine", "local"]) == 0
    text = capsys.readouterr().out
    assert "the same bits" in text
    assert "messages" in text
    assert max(map(len, text.splitlines())) <= 80


def test_run_writes_the_trace_where_it_is_told(capsys, tmp_path):
    said = said_json(
        capsys, "run", EXAMPLES[0], "--engine", "local", "--trace", "deep/er/trace.json"
    )
    assert said["trace"] == "deep/er/trace.json"
    events = json.loads((tmp_path / "deep/er/trace.json").read_text())["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    assert slices
    assert all(event["dur"] >= 0 and event["ts"] >= 0 for event in slices)
    # Slices on one track must not overlap unless they nest.
    tracks = {}
    for event in slices:
        tracks.setdefault((event["pid"], event["tid"]), []).append(event)
    for track in tracks.values():
        track.sort(key=lambda event: event["ts"])
        for one, next_one in pairwise(track):
            assert one["ts"] + one["dur"] <= next_one["ts"] + 1e-3


def test_the_finite_difference_check_can_fail(capsys, write, monkeypatch):
    """A wrong rule is caught: the check compares with the plain function, not with the network."""
    from backwave.protocol.rules import TABLE

    wrong = TABLE["tanh"].messages
    path = write("def inputs(): return (0.5,)\ndef loss(x): return np.tanh(x)\n")
    object.__setattr__(TABLE["tanh"], "messages", (lambda S, u, z: S * u,))
    try:
        said = said_json(capsys, "run", path, "--engine", "local")
    finally:
        object.__setattr__(TABLE["tanh"], "messages", wrong)
    assert said["finite_difference_error"] > 1e-3


def test_what_the_users_function_prints_stays_out_of_the_json(capsys, write):
    path = write("def inputs(): return 0.5\ndef loss(x):\n    print('here')\n    return x * x\n")
    assert main(["count", path, "--json"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["edges"] == 2
    assert "here" in output.err


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: Path(path).stem)
def test_count_adds_up(capsys, path):
    said = said_json(capsys, "count", path)
    assert said["messages"] == said["edges"] == sum(w["messages"] for w in said["waves"])
    assert said["nodes"] == sum(w["nodes"] for w in said["waves"])
    assert len(said["waves"]) == said["levels"]
    assert said["waves"][-1]["messages"] == 0  # leaves send nothing


def test_count_by_hand(capsys, write):
    # u = z*z has two edges; v = u*w two more; w is data, so its edge is none.
    path = write(
        "def inputs(): return 3.0, 2.0\ndef loss(z, w):\n    u = z * z\n    return np.tanh(u * w)\n"
    )
    said = said_json(capsys, "count", path)
    assert (said["nodes"], said["edges"], said["levels"]) == (4, 4, 4)
    assert said["inputs_without_gradient"] == 1
    assert [wave["messages"] for wave in said["waves"]] == [1, 1, 2, 0]


def test_count_shows_deep_networks_in_part(capsys, write):
    path = write(
        "def inputs(): return 0.1\n"
        "def loss(x):\n    for _ in range(500):\n        x = np.tanh(x)\n    return x\n"
    )
    assert main(["count", path]) == 0
    text = capsys.readouterr().out
    assert "..." in text
    assert len(text.splitlines()) < 40


FUNCTION = "def inputs(): return (np.ones(3),)\n"
MISTAKES = {
    "no file": (None, ["run", "missing.py"], "there is no file missing.py"),
    "no function": (
        FUNCTION + "def cost(x): return np.sum(x)\n",
        ["run", "mine.py"],
        "has no function 'loss'; its functions are: cost",
    ),
    "no inputs": (
        "def loss(x, y): return np.sum(x)\n",
        ["run", "mine.py"],
        "must define inputs(), which returns the arguments of loss: x, y",
    ),
    "no Python file": (None, ["count", "readme.md"], "there is no file"),
    "broken file": ("def loss(x:\n", ["run", "mine.py"], "mine.py:2: SyntaxError"),
    "failing file": ("1 / 0\n", ["run", "mine.py"], "mine.py:2: ZeroDivisionError"),
    "failing inputs": (
        "def inputs(): return np.load('none.npz')\ndef loss(x): return x\n",
        ["run", "mine.py"],
        "mine.py:2: FileNotFoundError",
    ),
    "failing function": (
        FUNCTION + "def loss(x):\n    return x.y\n",
        ["run", "mine.py"],
        "mine.py:4: AttributeError",
    ),
    "shape mismatch": (
        FUNCTION + "def loss(x):\n    return np.sum(x + np.ones(4))\n",
        ["run", "mine.py"],
        "mine.py:4: add of float64[3], float64[4]",
    ),
    "no scalar": (FUNCTION + "def loss(x):\n    return x * 2\n", ["run", "mine.py"], "mine.py:4"),
    "no dependence": (
        FUNCTION + "def loss(x): return np.float64(1)\n",
        ["run", "mine.py"],
        "does not depend on",
    ),
    "no rule": (
        FUNCTION + "def loss(x):\n    return np.sum(np.packbits(x))\n",
        ["run", "mine.py"],
        "mine.py:4: there is no rule for np.packbits",
    ),
    "float": (
        FUNCTION + "def loss(x):\n    return float(np.sum(x))\n",
        ["run", "mine.py"],
        "mine.py:4: float() of a traced node",
    ),
    "assignment": (
        FUNCTION + "def loss(x):\n    x[0] = 1\n    return np.sum(x)\n",
        ["run", "mine.py"],
        "mine.py:4: a node cannot be assigned into",
    ),
    "nan": (
        FUNCTION + "def loss(x):\n    return np.sum(np.log(x - 1) * 0)\n",
        ["run", "mine.py", "--engine", "local", "--check-finite"],
        "mine.py:4: infinity arose in the value of log",
    ),
    "integer argument": (
        "def inputs(): return (3,)\ndef loss(n): return n * 2.0\n",
        ["run", "mine.py"],
        "needs floating point",
    ),
    "bad option": (None, ["run", "mine.py", "--workers", "none"], "argument --workers"),
    "no workers": (None, ["run", "mine.py", "--workers", "0"], "0 is less than 1"),
    "bad granularity": (None, ["run", "mine.py", "--granularity", "atom"], "invalid choice"),
    "bad schedule": (None, ["run", "mine.py", "--schedule", "lazy"], "invalid choice"),
    "no such bench": (None, ["bench", "speed"], "there is no bench 'speed'"),
    "no command": (None, [], "COMMAND"),
    "trace nowhere": (
        FUNCTION + "def loss(x): return np.sum(x)\n",
        ["run", "mine.py", "--engine", "local", "--trace", "mine.py/trace.json"],
        "the timeline cannot be written",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line_and_exit_2(capsys, write, mistake, monkeypatch):
    # All of these are found before Ray is started, which takes seconds.
    monkeypatch.setattr(Cluster, "__enter__", lambda _: pytest.fail("Ray is started"))
    text, arguments, expected = MISTAKES[mistake]
    if text is not None:
        write(text)
    try:
        status = main(arguments)
    except SystemExit as exit:  # from the parser of arguments
        status = exit.code
    output = capsys.readouterr()
    assert status == 2
    assert expected in output.err
    assert output.err.startswith("backwave: ")
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_bench_gpu_without_one_is_one_clear_line(capsys):
    from backwave.actors.device import device
    from backwave.protocol.errors import ClusterError

    try:
        device("gpu")
    except ClusterError:
        assert main(["bench", "gpu"]) == 2
        assert "a GPU was asked for" in capsys.readouterr().err
    else:
        pytest.skip("there is a GPU")


def test_a_ratio_is_the_median_of_pairs():
    times = iter([(9.0, 1.0), (1.0, 2.0), (4.0, 1.0), (3.0, 1.0)])
    measured = of_times("x", lambda: next(times), goal=1.0, how="", pairs=3, warm=1)
    assert measured.ratio == np.median([0.5, 4.0, 3.0])
    assert (measured.ours, measured.theirs) == (3.0, 1.0)
