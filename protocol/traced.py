"""Traced nodes: what a program holds instead of arrays while its network is being recorded.

NumPy hands every ufunc and function that meets one to it (``__array_ufunc__``,
``__array_function__``), so programs are written with plain ``np``. With values, Python control
flow works and each branch that depends on a value is recorded as a guard; an abstract trace holds
shapes only and allocates nothing.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CodeType
from typing import Any, NoReturn

import numpy as np

from .arrays import DTYPES, Array, settle
from .errors import ArgumentError, BackwaveError, ShapeError, TraceError
from .graph import CONSTANT, LEAF, Graph, Guard, Leaf, Node
from .rules import TABLE, Abstract, Primitive, unknown
from .rules.primitive import Recorded

_HERE = os.path.dirname(os.path.abspath(__file__))
_NUMPY = os.path.dirname(os.path.abspath(np.__file__))
_INTERNAL = tuple(
    os.path.join(folder, "")
    for folder in (_HERE, _NUMPY, os.path.join(os.path.dirname(_NUMPY), "scipy"))
)
_WEAK = (bool, int, float, complex)

UFUNCS: dict[np.ufunc, Primitive] = {
    ufunc: TABLE[ufunc.__name__]
    for ufunc in vars(np).values()
    if isinstance(ufunc, np.ufunc) and ufunc.__name__ in TABLE
}
"""The primitive of each ufunc."""

METHODS: dict[str, Callable[..., Any]] = {}
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""How NumPy's and SciPy's functions that are no primitives map to some; filled by ``faces``."""


def user_place() -> tuple[CodeType, int] | str:
    """Return the place in the user's program that is running now, cheaply."""
    frame = sys._getframe(2)
    while frame.f_code.co_filename.startswith(_INTERNAL):
        if frame.f_back is None:
            return ""
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


def user_line() -> str:
    """Return the user's line that is running now, as ``file.py:12``."""
    return Node(0, "", (), {}, (), None, user_place()).line


class Tape:
    """The network that is being recorded.

    A gradient of a gradient records inside a recording; the later tape is the inner one.
    """

    _serials = itertools.count()

    def __init__(self, abstract: bool) -> None:
        self.abstract = abstract
        self.serial = next(self._serials)
        self.closed = False
        self.place: Any = None  # whose line the nodes get, if not the one that runs now
        self.nodes: list[Node] = []
        self.values: list[Array] = []
        self.leaves: list[Leaf] = []
        self.constants: dict[int, Array] = {}
        self.guards: dict[int, Guard] = {}
        self.recomputed: list[tuple[int, ...]] = []
        self._scalars: dict[tuple[type, Any], Traced] = {}
        self._arrays: dict[int, tuple[Array, Traced]] = {}

    def _add(self, node: Node, value: Array) -> Traced:
        self.nodes.append(node)
        self.values.append(value)
        return Traced(self, node.id, node.shape, node.dtype, value)

    def leaf(self, value: Array, argument: int, path: str, differentiated: bool) -> Traced:
        """Record a leaf; an :class:`Abstract` value is one that does not exist."""
        u = len(self.nodes)
        node = Node(u, LEAF, (), {}, value.shape, np.dtype(value.dtype), name=path)
        self.leaves.append(Leaf(u, argument, path, differentiated))
        return self._add(node, None if isinstance(value, Abstract) else value)

    def constant(self, value: Any) -> Traced:
        """Record a constant, once for each Python scalar and each array."""
        if isinstance(value, _WEAK):
            key = type(value), value
            if key not in self._scalars or not value:  # -0.0 == 0.0: keep zeros apart
                self._scalars[key] = self._new_constant(value)
            return self._scalars[key]
        if isinstance(value, np.generic):
            key = type(value), value.tobytes()
            if key not in self._scalars:
                self._scalars[key] = self._new_constant(value)
            return self._scalars[key]
        if isinstance(value, np.ndarray):
            known = self._arrays.get(id(value))
            if known is not None and _same(known[0], known[1].value, value):
                return known[1]
            # A copy: the program may reuse its buffer before the backward wave comes.
            traced = self._new_constant(settle(np.array(value, copy=True)))
            self._arrays[id(value)] = value, traced
            return traced
        return self._new_constant(value)

    def adopt(self, value: Any) -> Traced:
        """Record a constant that nobody will change."""
        if not isinstance(value, np.ndarray):
            return self.constant(value)
        traced = self._new_constant(value)
        self._arrays[id(traced.value)] = traced.value, traced
        return traced

    def require_open(self) -> None:
        """Raise if the trace has ended."""
        if self.closed:
            raise TraceError(
                f"{user_line()}: a traced node was kept from an earlier trace, whose network is "
                f"closed; return values from the function instead of storing them outside it"
            )

    def _new_constant(self, value: Any) -> Traced:
        if isinstance(value, Traced):
            value.tape.require_open()
        u = len(self.nodes)
        if isinstance(value, _WEAK):
            shape, dtype = (), np.dtype(type(value))
        else:
            value = settle(value if hasattr(value, "dtype") else np.asarray(value))
            shape, dtype = value.shape, value.dtype
            require_dtype(dtype, "a constant", user_line())
        self.constants[u] = value
        name = repr(value) if isinstance(value, _WEAK) else ""
        return self._add(Node(u, CONSTANT, (), {}, shape, dtype, name=name), value)

    def apply(
        self, primitive: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> Traced:
        """Record a firing of ``primitive``: a new node."""
        self.require_open()
        operands = [
            value if type(value) is Traced and value.tape is self else self.constant(value)
            for value in inputs
        ]
        if self.recomputed:
            self._keep(operands)
        place = self.place or user_place()
        value = None
        try:
            if self.abstract:
                shape, dtype, _ = primitive.shape(*map(_abstract, operands), **attributes)
            else:
                value = primitive.forward(*[z.value for z in operands], **attributes)
                if type(value) is not np.float64:
                    value = settle(value)
                shape, dtype = value.shape, value.dtype
        except (ValueError, TypeError, IndexError) as error:
            if isinstance(error, BackwaveError) and not isinstance(error, ShapeError):
                raise
            shapes = ", ".join(f"{z.dtype}{list(z.shape)}" for z in operands)
            line = Node(0, "", (), {}, (), None, place).line
            raise ShapeError(f"{line}: {primitive.name} of {shapes}: {error}") from error
        return self.fire(primitive.name, operands, attributes, shape, dtype, value, place)

    def fire(
        self,
        name: str,
        inputs: Sequence[Traced],
        attributes: dict[str, Any],
        shape: tuple[int, ...],
        dtype: Any,
        value: Array = None,
        place: Any = "",
    ) -> Traced:
        """Record a node whose shape, dtype and value are known."""
        u = len(self.nodes)
        ids = tuple([z.id for z in inputs])
        self.nodes.append(Node(u, name, ids, attributes, shape, dtype, place))
        self.values.append(value)
        return Traced(self, u, shape, dtype, value)

    def _keep(self, operands: Iterable[Traced]) -> None:
        """Keep a value that was to be forgotten, and is used outside its group after all."""
        for z in operands:
            if self.values[z.id] is None and not self.abstract:
                self.values[z.id] = z.value

    def guard(self, traced: Traced, value: bool | int) -> None:
        """Record that the program depended on this value."""
        self.guards.setdefault(traced.id, Guard(traced.id, value, user_line()))

    def group(self, first: int, results: Iterable[Any]) -> None:
        """Forget the values of the nodes since ``first``, but for ``results``; recompute them."""
        kept = {value.id for value in results if isinstance(value, Traced) and value.tape is self}
        nodes = [u for u in range(first, len(self.nodes)) if self.nodes[u].inputs]
        self.recomputed = [group for group in self.recomputed if group[0] < first]
        if nodes:
            self.recomputed.append(tuple(nodes))
        for u in nodes:
            if u not in kept:
                self.values[u] = None

    def graph(self, outputs: Sequence[Traced], **about: Any) -> tuple[Graph, list[Array]]:
        """Close the tape: the graph of ``outputs`` and the value of each of its nodes."""
        self.closed = True
        if self.recomputed:
            self._keep(outputs)
        kept = self._needed(output.id for output in outputs)
        new = {old: place for place, old in enumerate(kept)}
        if len(kept) < len(self.nodes):
            for old in kept:
                node = self.nodes[old]
                node.id = new[old]
                node.inputs = tuple([new[z] for z in node.inputs])
        groups = [tuple([new[u] for u in group if u in new]) for group in self.recomputed]
        graph = Graph(
            [self.nodes[old] for old in kept],
            [new[output.id] for output in outputs],
            [
                Leaf(new[leaf.node], leaf.argument, leaf.path, leaf.differentiated)
                for leaf in self.leaves
            ],
            {new[old]: value for old, value in self.constants.items() if old in new},
            guards=[Guard(new[g.node], g.value, g.line) for g in self.guards.values()],
            recomputed=[group for group in groups if group],
            **about,
        )
        values = [self.values[old] for old in kept]
        # Constants refer to the tape and it to them: without this, arrays would stay until
        # Python's collector of cycles comes by.
        for held in (self.nodes, self.values, self._scalars, self._arrays, self.constants):
            held.clear()
        return graph, values

    def _needed(self, outputs: Iterable[int]) -> list[int]:
        """Return the nodes that an output, a guard or a leaf needs, in order."""
        needed = bytearray(len(self.nodes))
        for u in outputs:
            needed[u] = 1
        for u in self.guards:
            needed[u] = 1
        for leaf in self.leaves:
            needed[leaf.node] = 1
        for node in reversed(self.nodes):
            if needed[node.id]:
                for z in node.inputs:
                    needed[z] = 1
        return [u for u, keep in enumerate(needed) if keep]


def _abstract(traced: Traced) -> Abstract:
    value = traced.value
    # A Python number decides no dtype; a bool does, as in NumPy, and so does a NumPy scalar.
    weak = type(value) if type(value) in (int, float, complex) else None
    return Abstract(traced.shape, traced.dtype, weak)


def _same(known: Any, copy: Any, value: Any) -> bool:
    if copy is value:
        return True  # it was given to the tape for good
    return known is value and copy.shape == value.shape and bool(np.all(copy == value))


def require_dtype(dtype: Any, what: str, line: str = "") -> None:
    """Raise unless values of this dtype can stand on a node."""
    if np.dtype(dtype).str not in DTYPES:
        place = f"{line}: " if line else ""
        raise ArgumentError(
            f"{place}{what} has dtype {dtype}, and a node's value must be a number array of one of "
            f"{', '.join(sorted({d.name for d in DTYPES.values()}))}"
        )


def _operator(name: str) -> Callable[[Any, Any], Any]:
    primitive = TABLE[name]

    def method(self: Traced, other: Any) -> Any:
        return self.record(primitive, (self, other), {})

    return method


def _reflected(name: str) -> Callable[[Any, Any], Any]:
    primitive = TABLE[name]

    def method(self: Traced, other: Any) -> Any:
        return self.record(primitive, (other, self), {})

    return method


def _unary(name: str) -> Callable[[Any], Any]:
    primitive = TABLE[name]

    def method(self: Traced) -> Any:
        return self.record(primitive, (self,), {})

    return method


class Traced(Recorded):
    """A node of the network that is being recorded, seen as the array that it stands for."""

    __slots__ = ("dtype", "id", "shape", "tape", "value")
    __hash__ = object.__hash__

    def __init__(self, tape: Tape, id: int, shape: tuple[int, ...], dtype: Any, value: Array):
        self.tape = tape
        self.id = id
        self.shape = shape
        self.dtype = dtype
        self.value = value

    def record(
        self, primitive: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> Any:
        """Record the primitive on the innermost tape among its inputs."""
        tape = self.tape
        for value in inputs:
            if type(value) is Traced:
                if value.tape.serial > tape.serial:
                    tape = value.tape
            elif value is None or isinstance(value, (str, bytes, dict, list, tuple)):
                raise TraceError(
                    f"{user_line()}: {primitive.name} of a traced node and "
                    f"{type(value).__name__} {value!r:.40}"
                )
        return tape.apply(primitive, inputs, attributes)

    # NumPy's two protocols.

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Record a ufunc."""
        if method != "__call__":
            function = METHODS.get(f"{ufunc.__name__}.{method}")
            if function is None:
                raise unknown(f"np.{ufunc.__name__}.{method}", user_line())
            return function(*inputs, **kwargs)
        if kwargs:
            _refuse(f"np.{ufunc.__name__}", kwargs)
        primitive = UFUNCS.get(ufunc)
        if primitive is None:
            face = FUNCTIONS.get(ufunc)
            if face is not None:
                return face(*inputs)
            primitive = _defined(ufunc, "np." if hasattr(np, ufunc.__name__) else "")
        if len(inputs) == 1:
            return self.tape.apply(primitive, inputs, {})
        return self.record(primitive, inputs, {})

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record a NumPy function."""
        face = FUNCTIONS.get(function)
        if face is None:
            module = function.__module__.replace("numpy", "np", 1)
            return self.record(_defined(function, f"{module}."), args, kwargs)
        return face(*args, **kwargs)

    # No value can be taken out of the network.

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: an array made of a traced node would cut it off from its network."""
        raise TraceError(
            f"{user_line()}: a traced node cannot be turned into a plain array; join nodes with "
            f"bw.array, np.stack or np.concatenate instead of np.array or np.asarray, and write "
            f"them into an array with bw.at(x)[i].set(v)"
        )

    def __float__(self) -> NoReturn:
        """Refuse, and say what to do."""
        raise TraceError(
            f"{user_line()}: float() of a traced node takes it out of the network (so do math.sin "
            f"and its like, and assigning it into an array); use the NumPy function, np.sin, build "
            f"arrays with np.stack, and keep the node"
        )

    def __complex__(self) -> NoReturn:
        """Refuse, and say what to do."""
        raise TraceError(f"{user_line()}: complex() of a traced node takes it out of the network")

    def item(self, *args: int) -> NoReturn:
        """Refuse, and say what to do."""
        raise TraceError(
            f"{user_line()}: .item() of a traced node takes it out of the network; use the node"
        )

    tolist = item

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        """Refuse, and name the functional way."""
        raise TraceError(
            f"{user_line()}: a node cannot be assigned into; make the new array, "
            f"x = bw.at(x)[i].set(v), or build it with bw.array, np.where or np.stack"
        )

    # Python's control flow, with values.

    def _decide(self, kind: type, what: str) -> Any:
        if self.size != 1:
            raise TraceError(
                f"{user_line()}: {what} of a node of shape {self.shape} is ambiguous; "
                f"use np.any, np.all or np.where"
            )
        if self.value is None:
            raise TraceError(
                f"{user_line()}: {what} of an abstract node has no value; "
                f"trace with arrays, or use np.where"
            )
        traced = self if self.shape == () else self.reshape(())
        if kind is bool and self.dtype.kind != "b":
            traced = traced != 0
        decided = kind(traced.value)
        self.tape.guard(traced, decided)
        return decided

    def __bool__(self) -> bool:
        """Branch on the value, and guard it: a replay that would branch otherwise is refused."""
        return bool(self._decide(bool, "the truth"))

    def __index__(self) -> int:
        """Use an integer node as an index or a count, and guard it."""
        if self.dtype.kind not in "iu":
            raise TraceError(
                f"{user_line()}: a {self.dtype} node cannot be used as an integer; "
                f"counts and indices must not depend on what is differentiated"
            )
        return int(self._decide(int, "the integer value"))

    __int__ = __index__

    def __len__(self) -> int:
        """Return the length of the first axis."""
        if not self.shape:
            raise TraceError(f"{user_line()}: len() of a node without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        """Yield the entries along the first axis."""
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        """Show shape and dtype, and the value where there is one."""
        value = "" if self.value is None else f" = {self.value!r}"
        return f"<traced {self.id} {self.dtype}{list(self.shape)}{value}>"

    # What arrays have.

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        return Abstract(self.shape, self.dtype).size

    @property
    def T(self) -> Any:
        """The transpose."""
        return np.transpose(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return np.imag(self)

    def __getattr__(self, name: str) -> Any:
        """Offer the array methods that are NumPy functions, ``x.sum()`` for ``np.sum(x)``."""
        method = METHODS.get(name)
        if method is None or name.startswith("_"):
            raise AttributeError(
                f"a traced node has no attribute {name!r}; "
                f"use the NumPy function of that name if there is one"
            )
        return lambda *args, **kwargs: method(self, *args, **kwargs)

    def __getitem__(self, index: Any) -> Any:
        """Index; set below by ``faces``."""
        return METHODS["__getitem__"](self, index)

    __add__, __radd__ = _operator("add"), _reflected("add")
    __sub__, __rsub__ = _operator("subtract"), _reflected("subtract")
    __mul__, __rmul__ = _operator("multiply"), _reflected("multiply")
    __truediv__, __rtruediv__ = _operator("divide"), _reflected("divide")
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _operator("remainder"), _reflected("remainder")
    __pow__, __rpow__ = _operator("power"), _reflected("power")
    __matmul__, __rmatmul__ = _operator("matmul"), _reflected("matmul")
    __neg__, __pos__, __abs__ = _unary("negative"), _unary("positive"), _unary("absolute")
    __eq__, __ne__ = _operator("equal"), _operator("not_equal")
    __lt__, __le__ = _operator("less"), _operator("less_equal")
    __gt__, __ge__ = _operator("greater"), _operator("greater_equal")
    __and__, __rand__ = _operator("bitwise_and"), _reflected("bitwise_and")
    __or__, __ror__ = _operator("bitwise_or"), _reflected("bitwise_or")
    __xor__, __rxor__ = _operator("bitwise_xor"), _reflected("bitwise_xor")
    __lshift__, __rlshift__ = _operator("left_shift"), _reflected("left_shift")
    __rshift__, __rrshift__ = _operator("right_shift"), _reflected("right_shift")
    __invert__ = _unary("invert")

    def __divmod__(self, other: Any) -> Any:
        """Return the quotient, rounded down, and the remainder."""
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        """Return the quotient, rounded down, and the remainder."""
        return other // self, other % self


def _defined(function: Any, module: str) -> Primitive:
    """Return the primitive that was defined later for this very function."""
    primitive = TABLE.get(function.__name__)
    if primitive is None or primitive.forward is not function:
        raise unknown(f"{module}{function.__name__}", user_line())
    return primitive


def _refuse(what: str, kwargs: dict[str, Any]) -> None:
    names = ", ".join(f"{name}=" for name in kwargs)
    raise TraceError(
        f"{user_line()}: {what} with {names} cannot be traced; "
        f"assign the result instead of out=, use np.where instead of where="
    )
