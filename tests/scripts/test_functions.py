"""The list of supported functions is held to the rules."""

import json
from pathlib import Path

import numpy as np
import pytest

import backwave as bw
from backwave.protocol.rules import TABLE
from backwave.scripts import functions
from backwave.scripts.main import main

DOCUMENT = Path(__file__).parents[2] / "docs" / "functions.md"


@pytest.mark.skipif(
    functions.versions() not in DOCUMENT.read_text(), reason="written with other versions"
)
def test_the_document_is_what_the_rules_say():
    assert DOCUMENT.read_text() == functions.markdown(), (
        "run: backwave functions --markdown > docs/functions.md"
    )


@pytest.mark.skipif(
    functions.versions() not in DOCUMENT.read_text(), reason="written with other versions"
)
def test_the_readme_says_how_many():
    rules, made = functions.count()
    readme = " ".join((DOCUMENT.parents[1] / "README.md").read_text().split())
    assert f"{rules} rules make {made} functions of NumPy and SciPy differentiable" in readme


def test_there_are_at_least_two_hundred_rules():
    assert functions.count()[0] >= 200
    assert functions.count()[0] == len([name for name in TABLE if ":" not in name])


def test_a_function_that_is_listed_is_traced_and_one_that_is_not_is_refused():
    listed = functions.numpy_functions()
    x = np.array([[2.0, 0.5], [0.3, 1.5]])
    for module, place in (("np", np), ("np.linalg", np.linalg), ("np.fft", np.fft)):
        called = 0
        for name, function in vars(place).items():
            if name.startswith("_") or not _takes_one_array(function, x):
                continue
            try:
                with np.errstate(all="ignore"):
                    bw.trace(lambda x, f=function: bw.stop_gradient(f(x)), x)
            except bw.errors.UnknownPrimitiveError:
                assert name not in listed[module], f"{module}.{name} is listed"
            except Exception:
                continue  # refused with advice, or its value is no array
            else:
                called += name in listed[module]
        assert called >= 8


def _takes_one_array(function, x):
    if not isinstance(function, np.ufunc) and not hasattr(function, "_implementation"):
        return False  # NumPy does not hand this one to a traced node
    try:
        with np.errstate(all="ignore"):
            value = function(x.copy())
    except Exception:
        return False
    return isinstance(value, np.ndarray | np.floating | tuple)


@pytest.mark.parametrize("flag", ["", "--markdown", "--json"])
def test_the_command(flag, capsys):
    assert main(["functions", *filter(None, [flag])]) == 0
    text = capsys.readouterr().out
    assert "tanh" in text
    if flag == "--json":
        assert set(json.loads(text)["rules"]) <= set(TABLE)
