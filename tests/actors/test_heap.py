"""Workers keep the memory that they free: counted in page faults, in a process of its own."""

import platform
import subprocess
import sys

import pytest

import backwave as bw
from backwave.actors.heap import keep_freed_memory

FAULTS = """
import resource, sys
import numpy as np
from backwave.actors.heap import keep_freed_memory
assert not {keep} or keep_freed_memory()

def several():
    arrays = [np.ones(2**18) * k for k in range(8)]  # two megabytes each
    return len(arrays)

several()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    several()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep):
    command = [sys.executable, "-c", FAULTS.format(keep=keep)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_is_freed_is_there_for_the_next_pass():
    kept, given_back = faults(True), faults(False)
    assert kept < 100
    assert kept < given_back  # by hundreds of times, unless pages are huge


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert keep_freed_memory() is False


def test_this_process_is_left_as_it_is(monkeypatch):
    """Only a process that is a worker's own is changed: a session here runs in the user's."""
    monkeypatch.setattr("backwave.actors.worker.keep_freed_memory", lambda: pytest.fail("changed"))
    graph = bw.trace(lambda w, x: w * x, 2.0, 3.0, argnums=0)
    with bw.session(graph, 2.0) as session:
        assert session.backward(3.0).value == 6.0
