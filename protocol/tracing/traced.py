"""Traced nodes: what a program holds instead of arrays while its network is being recorded.

NumPy hands every ufunc and function that meets one to it (``__array_ufunc__``,
``__array_function__``), so programs are written with plain ``np``. With values, Python control
flow works and each branch that depends on a value is recorded as a guard; an abstract trace holds
shapes only and allocates nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn, Protocol

import numpy as np

from ..arrays import Array
from ..errors import TraceError
from ..rules import TABLE, Abstract, Primitive, unknown
from ..rules.primitive import Recorded
from ..source_line import user_line

UFUNCS: dict[np.ufunc, Primitive] = {
    ufunc: TABLE[ufunc.__name__]
    for ufunc in vars(np).values()
    if isinstance(ufunc, np.ufunc) and ufunc.__name__ in TABLE
}
"""The primitive of each ufunc."""

METHODS: dict[str, Callable[..., Any]] = {}
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""How NumPy's and SciPy's functions that are no primitives map to some; filled by ``faces``."""


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


class Recorder(Protocol):
    """What a traced node asks of the tape that records it; a later tape has a higher serial."""

    serial: int

    def apply(
        self, primitive: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> Traced:
        """Record a firing of ``primitive``: a new node."""

    def guard(self, traced: Traced, value: bool | int) -> None:
        """Record that the program depended on this value."""


class Traced(Recorded):
    """A node of the network that is being recorded, seen as the array that it stands for."""

    __slots__ = ("dtype", "id", "shape", "tape", "value")
    __hash__ = object.__hash__

    def __init__(self, tape: Any, id: int, shape: tuple[int, ...], dtype: Any, value: Array):
        self.tape = tape
        self.id = id
        self.shape = shape
        self.dtype = dtype
        self.value = value

    def record(
        self, primitive: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> Any:
        """Record the primitive on the innermost tape among its inputs."""
        tape: Recorder = self.tape
        for value in inputs:
            if type(value) is Traced:
                if value.tape.serial > tape.serial:
                    tape = value.tape
            elif value is None or isinstance(value, (str, bytes, dict, list, tuple)):
                advice = "; make it an array" if isinstance(value, (list, tuple)) else ""
                raise TraceError(
                    f"{user_line()}: {primitive.name} of a traced node and "
                    f"{type(value).__name__} {value!r:.40}{advice}"
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

    def __round__(self, ndigits: Any = None) -> Any:
        """Round a number to decimal places; to a whole Python number it would leave the network."""
        if self.shape or ndigits is None:
            raise TraceError(f"{user_line()}: round() of a traced node; use np.round")
        return np.round(self, ndigits)

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
        axes = tuple(range(len(self.shape) - 1, -1, -1))
        return self.tape.apply(TABLE["transpose"], (self,), {"axes": axes})

    @property
    def mT(self) -> Any:
        """The transpose of the last two axes."""
        return np.matrix_transpose(self)

    @property
    def flat(self) -> Any:
        """The entries on one axis, to read."""
        return np.ravel(self)

    @property
    def itemsize(self) -> int:
        """The bytes of one entry."""
        return int(self.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """The bytes of all entries."""
        return self.size * self.itemsize

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
            where = "" if name.startswith("_") else f"{user_line()}: "
            raise AttributeError(
                f"{where}a traced node has no attribute {name!r}; "
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
