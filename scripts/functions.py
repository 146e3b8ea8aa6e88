"""``backwave functions``: every function that can be differentiated, read from the rules."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np
import scipy

from ..protocol.rules import TABLE, Primitive
from ..protocol.rules.primitive import SEPARATOR
from ..protocol.tracing.faces.register import REFUSED
from ..protocol.tracing.traced import FUNCTIONS, METHODS, UFUNCS
from .show import print_json

SCIPY = ("special", "stats", "linalg", "signal")

_GPUS_LACK = {
    "values": "airy betaincc betainccinv dawsn ellipe erfi eval_chebyt eval_chebyu "
    "eval_gegenbauer eval_genlaguerre eval_hermite eval_hermitenorm eval_jacobi eval_laguerre "
    "eval_legendre fresnel hankel1 hankel2 hyp0f1 hyp1f1 hyp2f1 hyperu iv ive jv kn kv kve powm1 "
    "spacing spence stdtr stdtrit wofz yv",
    "complex values": "erf erfcx expi",
    "messages": "boxcox boxcox1p ellipk ellipkm1 exprel i1 i1e inv_boxcox inv_boxcox1p j1 shichi",
}
GPUS_LACK = {what: names.split() for what, names in _GPUS_LACK.items()}
"""Rules that a GPU cannot run, because CuPy has not the functions that they are made of.

``tests/protocol/rules/test_rules.py`` holds the list to a stand-in that is as strict as CuPy.
"""

INTRODUCTION = """\
# What can be differentiated

Made from the rules by `backwave functions --markdown > docs/functions.md`; a test holds it to them.
All work on NumPy arrays, on CuPy arrays (but for those under "Not on GPUs") and on traced nodes,
with values and without, to any order. Name a function that is missing here, and the error says so,
with your line; give it a message of its own with `@bw.primitive`.

Conventions: of a complex z = x + iy, S is ∂f/∂x - i·∂f/∂y, so that a holomorphic function's message
is S·f'(z), with no conjugate; `bw.grad` returns that S. Ties in `max`, `min`, `maximum`, `minimum`
share the message evenly. At 0 a norm has slope 0. The side that `where` does not choose sends
exactly 0. Integer, boolean and index arguments have no edge. A flat function (`sign`, `floor`,
`argmax`, comparisons) is traced, and sends nothing.
"""


def run(options: Namespace) -> None:
    """Run the command."""
    if options.json:
        functions = {**numpy_functions(), **{f"scipy.{m}": n for m, n in scipy_functions().items()}}
        print_json({"rules": list(builtin()), "functions": functions}, options.out)
    else:
        options.out.write(markdown() if options.markdown else plain())


def builtin() -> dict[str, Primitive]:
    """Return the primitives of the table that no user has added."""
    return {name: TABLE[name] for name in sorted(TABLE) if SEPARATOR not in name}


def numpy_functions() -> dict[str, list[str]]:
    """Return the names of NumPy's functions that can be traced, by module."""
    names: dict[str, set[str]] = {"np": set(), "np.linalg": set(), "np.fft": set()}
    reachable = [*(f for f, face in FUNCTIONS.items() if face not in REFUSED), *UFUNCS]
    reachable += [each.forward for each in builtin().values()]
    known = {id(function) for function in reachable}
    for module, found in names.items():
        module_itself: Any = np if module == "np" else getattr(np, module.partition(".")[2])
        for name, value in vars(module_itself).items():
            if not name.startswith("_") and callable(value) and id(value) in known:
                found.add(name)
    names["np.lib.stride_tricks"] = {"sliding_window_view"}
    return {module: sorted(found) for module, found in names.items()}


def ufunc_methods() -> dict[str, list[str]]:
    """Return the ufuncs that have each method, reduce, accumulate, outer and so on."""
    found: dict[str, list[str]] = {}
    for name, face in METHODS.items():
        ufunc, dot, method = name.partition(".")
        if dot and face not in REFUSED:
            found.setdefault(method, []).append(ufunc)
    return {method: sorted(ufuncs) for method, ufuncs in sorted(found.items())}


def array_methods() -> list[str]:
    """Return the methods that a traced array has."""
    plain = (name for name, face in METHODS.items() if "." not in name and face not in REFUSED)
    return sorted(name for name in plain if not name.startswith("_"))


def scipy_functions() -> dict[str, list[str]]:
    """Return what the modules of ``bw.scipy`` offer."""
    modules = {name: import_module(f"backwave.scipy.{name}") for name in SCIPY}
    return {name: sorted(module.__all__, key=str.lower) for name, module in modules.items()}


def refused() -> list[str]:
    """Return the functions that are refused with advice."""
    return sorted(
        {function.__name__ for function, face in FUNCTIONS.items() if face in REFUSED}
        | {f"x.{name}" for name, face in METHODS.items() if face in REFUSED and "." not in name}
    )


def count() -> tuple[int, int]:
    """Return how many rules there are, and how many functions they make differentiable."""
    functions = sum(map(len, numpy_functions().values())) + sum(
        map(len, scipy_functions().values())
    )
    return len(builtin()), functions


def versions() -> str:
    """Return whose functions are listed."""
    names = {"NumPy": np.__version__, "SciPy": scipy.__version__}
    return ", ".join(f"{name} {'.'.join(v.split('.')[:2])}" for name, v in names.items())


def _inputs(primitive: Primitive) -> str:
    if primitive.variadic:
        return "all"
    marks = ["S" if rule is not None else "–" for rule in primitive.messages]
    return " ".join(marks) or "–"


def _code(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


def markdown() -> str:
    """Return the document."""
    rules, functions = count()
    parts = [
        INTRODUCTION,
        f"{rules} rules make {functions} functions differentiable ({versions()}).\n",
    ]
    for module, names in numpy_functions().items():
        parts.append(f"## `{module}`\n\n{_code(names)}\n")
    methods = "\n".join(f"- `.{m}`: {_code(ufuncs)}" for m, ufuncs in ufunc_methods().items())
    parts.append(f"## Methods of ufuncs\n\n{methods}\n")
    parts.append(f"## Methods of arrays\n\n{_code(array_methods())}, and operators and indexing.\n")
    for module, names in scipy_functions().items():
        parts.append(f"## `bw.scipy.{module}`\n\n{_code(names)}\n")
    parts.append(
        "## Refused, with advice\n\nThey write in place, or have a result whose shape or meaning "
        f"no derivative passes through: {_code(refused())}\n"
    )
    parts.append(
        "## Not on GPUs\n\nCuPy lacks these functions, so that a worker with a GPU refuses them: "
        f"{_code(GPUS_LACK['values'])}. It has these of real numbers only: "
        f"{_code(GPUS_LACK['complex values'])}. And it lacks what messages of these are made of: "
        f"{_code(GPUS_LACK['messages'])}. What is written with one of them is refused as well.\n"
    )
    parts.append(
        "## The table of rules\n\nFor each input S where it is sent a message, – where not.\n"
    )
    rows = [
        f"| `{name}` | {_inputs(each)} | {_code(each.takes or {}) or ' '} |"
        for name, each in builtin().items()
    ]
    parts.append("| rule | inputs | attributes |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def plain() -> str:
    """Return the same for a terminal: one name a line, with its module."""
    modules = {**numpy_functions(), **{f"bw.scipy.{m}": n for m, n in scipy_functions().items()}}
    lines = [f"{module}.{name}" for module, names in modules.items() for name in names]
    rules, functions = count()
    return "\n".join([*lines, f"{rules} rules make {functions} functions differentiable"]) + "\n"
