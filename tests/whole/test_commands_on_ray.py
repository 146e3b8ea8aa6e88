"""The commands as a user types them, each in a process of its own, on Ray."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from .conftest import ROOT

COMMAND = [sys.executable, "-m", "backwave.scripts.main"]
MARK = "BACKWAVE_TEST"
"""What stands in the environment of a command, and so in that of all that it starts."""


@pytest.fixture
def environment():
    """An environment by which the processes of one test are known; afterwards none is left."""
    mark = uuid.uuid4().hex
    yield {**os.environ, MARK: mark}
    end = time.monotonic() + 60
    while left := processes(mark):
        assert time.monotonic() < end, f"left behind: {left}"
        time.sleep(0.1)


def processes(mark):
    """Return the names of the processes that have this mark, by process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "comm").read_text().strip()
        except OSError:  # it has ended meanwhile
            continue
    return found


def backwave(*arguments, cwd, environment, timeout=120):
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        env=environment,
    )


def test_run_prints_one_json_object_and_writes_a_trace(tmp_path, environment):
    path = str(ROOT / "examples/digits_mlp.py:loss")
    done = backwave("run", path, "--json", cwd=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["max_difference_from_local"] == 0
    assert said["finite_difference_error"] < 1e-6
    assert said["ledger"]["messages"] == said["edges"] == 23
    assert (said["granularity"], said["engine"]) == ("partition", "ray")
    assert [worker["worker"] for worker in said["workers"]] == [0, 1]
    trace = json.loads((tmp_path / said["trace"]).read_text())
    flows = [event["ph"] for event in trace["traceEvents"] if event["ph"] in "sf"]
    frames = said["ledger"]["frames"] + said["ledger"]["forward_frames"]
    assert flows.count("s") == flows.count("f") == frames


@pytest.mark.long
def test_many_actors_keep_standard_output_clean(tmp_path, environment):
    path = str(ROOT / "examples/article.py")
    options = ("--granularity", "layer", "--workers", "1", "--json")
    done = backwave("run", path, *options, cwd=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["workers"]) == 11
    assert done.stderr == ""


@pytest.mark.parametrize("name", [pytest.param("digits_mlp", marks=pytest.mark.long), "lstm"])
def test_a_running_cluster_is_joined_by_address_and_left_running(
    cluster, tmp_path, environment, name
):
    import ray

    address = ray.get_runtime_context().gcs_address
    path = str(ROOT / "examples" / f"{name}.py")
    options = ("--json", "--address", address)
    done = backwave("run", path, *options, cwd=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["max_difference_from_local"] == 0
    assert [node["Alive"] for node in ray.nodes()] == [True]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "127.0.0.1:123456"])
def test_no_cluster_at_the_address_is_one_clear_line(tmp_path, environment, address):
    path = str(ROOT / "examples/rosenbrock.py")
    done = backwave("run", path, "--address", address, cwd=tmp_path, environment=environment)
    assert done.returncode == 2
    assert done.stderr.startswith(f"backwave: no Ray cluster could be joined at '{address}'")
    assert "ray start --head" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.long
def test_a_gpu_where_there_is_none_is_one_clear_line(tmp_path, environment):
    path = str(ROOT / "examples/rosenbrock.py")
    done = backwave("run", path, "--gpus", "1", cwd=tmp_path, environment=environment)
    if done.returncode == 0:
        pytest.skip("there is a GPU")
    assert done.returncode == 2
    assert "Ray found 0 GPUs" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "interrupted_in",
    [
        pytest.param("gcs_server", id="starting Ray"),
        pytest.param("ray::Actor.fire", id="firing a stage", marks=pytest.mark.long),
    ],
)
def test_ctrl_c_leaves_no_process_behind(tmp_path, environment, interrupted_in):
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import numpy as np\n"
        "def inputs(): return (np.eye(1000),)\n"
        "def loss(x):\n"
        "    for _ in range(40):\n"
        "        x = np.tanh(x @ x)\n"
        "    return np.sum(x)\n"
    )
    running = subprocess.Popen(
        [*COMMAND, "run", str(slow)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**environment, "OMP_NUM_THREADS": "1"},
    )
    end = time.monotonic() + 60
    while interrupted_in not in processes(environment[MARK]).values():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < end, processes(environment[MARK])
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert errors.strip().endswith("backwave: interrupted")
