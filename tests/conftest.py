from pathlib import PurePosixPath

import pytest
from hypothesis import settings

from .amount import amount

# The same examples in every run, and no failure because a machine is slow.
settings.register_profile(
    "backwave", max_examples=amount(10, 100), derandomize=True, print_blob=True, deadline=None
)
settings.load_profile("backwave")

GROUPS = {
    "tests/whole": "ray",
    "tests/protocol/scalar": "scalars",
    "tests/actors/test_network_local.py": "scalars",
    "tests/actors/test_passes.py": "scalars",
    "tests/recorded": "scalars",
    "tests/scheduler/test_plan_of_scalars.py": "scalars",
    "tests/scripts/test_bench_scale.py": "scalars",
    "tests/scripts/test_bench_scale.py::test_two_ray_workers_against_one": "ray",
    "tests/scripts/test_count_sizes.py": "scalars",
}
"""Tests that share a process, where there are several: those with a Ray cluster share it, and its
machine; those of scalar networks share what is compiled, which takes seconds for every set of
operations."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand out the groups first, the one with most tests first of all: each to one process.

    Of pytest-xdist's own, which read the groups from names of tests, no one does with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = PurePosixPath(nodeid.partition("::")[0])
            for place in (nodeid, path, *path.parents):
                if str(place) in GROUPS:
                    return GROUPS[str(place)]
            return nodeid

    return Groups(config, log)
