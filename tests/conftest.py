from pathlib import Path

import pytest
from hypothesis import settings

from .amount import amount

# The same examples in every run, and no failure because a machine is slow.
settings.register_profile(
    "backwave", max_examples=amount(10, 100), derandomize=True, print_blob=True, deadline=None
)
settings.load_profile("backwave")

HERE = Path(__file__).parent
GROUPS = {
    HERE / "whole": "ray",
    HERE / "protocol" / "scalar": "scalars",
    HERE / "actors" / "test_network_local.py": "scalars",
    HERE / "scheduler" / "test_plan_of_scalars.py": "scalars",
    HERE / "scripts" / "test_bench_scale.py": "scalars",
    HERE / "scripts" / "test_count_sizes.py": "scalars",
}
"""Tests that share a process, where there are several: those with a Ray cluster share it, and its
machine; those of scalar networks share what is compiled, which takes seconds for every set of
operations."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at the groups
def pytest_collection_modifyitems(items):
    """Group tests that share a process, and begin with the longest groups: one left for the end
    would run beside an idle process."""
    for item in items:
        if item.get_closest_marker("xdist_group"):
            continue
        for path in (item.path, *item.path.parents):
            if path in GROUPS:
                item.add_marker(pytest.mark.xdist_group(GROUPS[path]))
                break
    items.sort(key=_turn)


def _turn(item):
    marker = item.get_closest_marker("xdist_group")
    return {"ray": 0, "scalars": 1}.get(marker.args[0], 2) if marker else 2
