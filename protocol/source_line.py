"""Where in the user's program something happens: the innermost line that is not ours or NumPy's."""

from __future__ import annotations

import os
import sys
from types import CodeType

import numpy as np

Origin = tuple[CodeType, int] | str
"""Where a node comes from: an instruction of the user's program, or its line as ``file.py:12``."""

_HERE = os.path.dirname(os.path.abspath(__file__))
_NUMPY = os.path.dirname(os.path.abspath(np.__file__))
_INTERNAL = tuple(
    os.path.join(folder, "")
    for folder in (_HERE, _NUMPY, os.path.join(os.path.dirname(_NUMPY), "scipy"))
)
_known: dict[str, bool] = {}


def _is_internal(file: str) -> bool:
    found = _known[file] = file.startswith(_INTERNAL)
    return found


def user_origin() -> Origin:
    """Return the instruction of the user's program that is running now, cheaply."""
    frame = sys._getframe(2)
    while True:
        file = frame.f_code.co_filename
        internal = _known.get(file)
        if not (_is_internal(file) if internal is None else internal):
            break
        if frame.f_back is None:
            return ""
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


def line_of(origin: Origin) -> str:
    """Return the line of an instruction, as ``file.py:12``."""
    if isinstance(origin, str):
        return origin
    code, instruction = origin
    number = next(
        (line for start, end, line in code.co_lines() if start <= instruction < end),
        code.co_firstlineno,
    )
    return f"{code.co_filename}:{number}"


def user_line() -> str:
    """Return the user's line that is running now, as ``file.py:12``."""
    return line_of(user_origin())
