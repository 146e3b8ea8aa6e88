"""Load a function from a user's file, as ``FILE.py:function``."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from ..protocol.errors import ArgumentError, BackwaveError

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Target:
    """A user's function and the arguments that their file gives it."""

    path: Path
    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]

    @property
    def title(self) -> str:
        """``digits_mlp.py:loss``."""
        return f"{self.path.name}:{self.name}"


def load_target(text: str) -> Target:
    """Load ``FILE.py[:function]``; the function defaults to ``loss``.

    Raises:
        ArgumentError: there is no such file or function, the file fails, or it has no ``inputs()``.

    """
    file, separator, name = text.rpartition(":")
    if not separator or not file or "/" in name or name.endswith(".py"):
        file, name = text, "loss"
    path = Path(file)
    if not path.is_file():
        raise ArgumentError(f"there is no file {file}")
    if path.suffix != ".py":
        raise ArgumentError(f"{file} is no Python file; give FILE.py:function")
    module = _run(path)
    function = getattr(module, name, None)
    if not callable(function):
        there = ", ".join(sorted(_functions(module))) or "none"
        raise ArgumentError(f"{file} has no function {name!r}; its functions are: {there}")
    return Target(path, name, function, _inputs(module, path, name, function))


def _functions(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and name != "inputs"
    ]


def _run(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # the suffix is .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    directory = str(path.parent.resolve())
    sys.path.insert(0, directory)  # as `python FILE.py` does, so that it can import its neighbours
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ArgumentError(f"{their_line(error, path)}: {_say(error)}") from error
    finally:
        sys.path.remove(directory)
    return module


def _inputs(module: ModuleType, path: Path, name: str, function: Any) -> tuple[Any, ...]:
    inputs = getattr(module, "inputs", None)
    if inputs is None:
        needed = [
            parameter.name
            for parameter in inspect.signature(function).parameters.values()
            if parameter.default is parameter.empty
        ]
        raise ArgumentError(
            f"{path} must define inputs(), which returns the arguments of {name}"
            + (f": {', '.join(needed)}" if needed else "")
        )
    try:
        args = inputs()
    except Exception as error:
        raise ArgumentError(f"{their_line(error, path)}: {_say(error)}") from error
    return args if isinstance(args, tuple) else (args,)


def their_line(error: BaseException, path: Path) -> str:
    """Return the last line of the user's file that an error came through, ``file.py:12``."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{path}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path.resolve()]
    lines = lines or [frame.lineno for frame in frames if Path(frame.filename) == path]
    return f"{path}:{lines[-1]}" if lines else str(path)


def call(target: Target, what: Callable[[], Result]) -> Result:
    """Call something that runs the user's function; an error of theirs names their line.

    Raises:
        ArgumentError: their function failed.
        BackwaveError: as it came.

    """
    try:
        return what()
    except BackwaveError:
        raise
    except Exception as error:
        line = their_line(error, target.path)
        raise ArgumentError(f"{line}: {_say(error)}") from error


def _say(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
