from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, and no failure because a machine is slow.
settings.register_profile("backwave", derandomize=True, print_blob=True, deadline=None)
settings.load_profile("backwave")

WHOLE = Path(__file__).parent / "whole"


def pytest_collection_modifyitems(items):
    """Let one process have all tests with a Ray cluster: they share it, and its machine."""
    for item in items:
        if WHOLE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("ray"))
