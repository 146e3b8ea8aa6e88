"""How errors name the line of the user's program that they come from."""

import pytest

import backwave as bw
from backwave import errors


def line_of(f, offset=1):
    """Where the ``offset``-th line below ``def`` of f is, as errors name it."""
    code = f.__code__
    return f"{code.co_filename}:{code.co_firstlineno + offset}"


def refused(f, *args, error, match, offset=1):
    """Check that tracing f raises this error, which names the user's line and says this."""
    with pytest.raises(error, match=match) as caught:
        bw.trace(f, *args)
    assert str(caught.value).startswith(line_of(f, offset) + ": ")
    assert isinstance(caught.value, errors.BackwaveError)
