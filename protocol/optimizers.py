"""Optimizers: what a parameter becomes, given S at it. Each parameter is moved by itself.

An optimizer is any function ``(param, S, state, step) -> (param, state)``. It changes nothing that
it is given, so that what it gets may be a view into a frame; and it travels to the workers where
the parameters live, so that it must be picklable. Those made here are also compared by their
settings, and shown as the call that makes them.

Of a complex parameter x + iy, S is ∂f/∂x - i·∂f/∂y, so that f falls fastest along -conj(S).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import numpy as np

from .arrays import Array, is_float
from .errors import ArgumentError

Optimizer = Callable[[Array, Array, Any, int], tuple[Array, Any]]
"""``(param, S, state, step) -> (param, state)``; the state is None at step 1, the first."""

Rate = float | Callable[[int], float]
"""The learning rate: a number, or a function of the step, which counts from 1."""

_NOT_NEGATIVE = ("a finite number from 0 up", lambda x: x >= 0.0)
_FRACTION = ("a number in [0, 1)", lambda x: 0.0 <= x < 1.0)
_ALLOWED: dict[str, tuple[str, Callable[[float], bool]]] = {
    "rate": _NOT_NEGATIVE,
    "beta": _FRACTION,
    "beta1": _FRACTION,
    "beta2": _FRACTION,
    "eps": ("a finite number above 0", lambda x: x > 0.0),
    "weight_decay": _NOT_NEGATIVE,
}


def _allowed(name: str, value: Any) -> float | None:
    """Return a setting as a float; None if it may not be that.

    A float and no ``np.float64``, which would turn parameters of single precision to double.
    """
    if isinstance(value, np.ndarray) and not value.shape:  # what np.where gives a schedule
        value = value[()]
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if np.isfinite(number) and _ALLOWED[name][1](number) else None


@dataclass(frozen=True)
class _Optimizer:
    """What the optimizers share: their settings, and looking at what they are given."""

    rate: Rate

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            if field.name == "rate" and callable(given):
                continue
            number = _allowed(field.name, given)
            if number is None:
                raise ArgumentError(
                    f"bw.{type(self).__name__}: {field.name}={given!r:.40}: give "
                    f"{_ALLOWED[field.name][0]}"
                    f"{', or a function of the step' if field.name == 'rate' else ''}"
                )
            object.__setattr__(self, field.name, number)

    def __call__(self, param: Array, S: Array, state: Any, step: int) -> tuple[Array, Any]:
        """Return the parameter after this step, and the state for the next one, as new arrays.

        Args:
            param: the parameter, an array or a NumPy scalar of floats or complex numbers.
            S: S at the parameter, of its shape and dtype.
            state: None at the first step, and then what this function returned last for this
                parameter.
            step: the number of the step, from 1.

        Raises:
            ArgumentError: one of them is none of this, or the rate's function gave no finite
                number from 0 up.

        """
        name = f"bw.{type(self).__name__}"
        if isinstance(step, bool) or not isinstance(step, int | np.integer) or step < 1:
            raise ArgumentError(f"{name}: step={step!r:.40}: steps are whole numbers from 1 up")
        for what, value in (("the parameter", param), ("S", S)):
            if not (hasattr(value, "dtype") and is_float(value.dtype)):
                kind = getattr(value, "dtype", type(value).__name__)
                raise ArgumentError(f"{name}: {what} is {kind}; give an array of floats")
        if S.shape != param.shape or S.dtype != param.dtype:
            raise ArgumentError(
                f"{name}: S is {S.dtype}{list(S.shape)}, and the parameter "
                f"{param.dtype}{list(param.shape)}"
            )
        self._require(param, state, int(step))
        return self._move(param, S, state, self._rate_at(int(step)), int(step))

    def _rate_at(self, step: int) -> float:
        if not callable(self.rate):
            return self.rate
        given = self.rate(step)
        number = _allowed("rate", given)
        if number is None:
            raise ArgumentError(
                f"bw.{type(self).__name__}: the rate at step {step} is {given!r:.40}; its function "
                f"must return {_ALLOWED['rate'][0]}"
            )
        return number

    def _require(self, param: Array, state: Any, step: int) -> None:
        """Raise if this optimizer cannot take this step."""

    def _move(
        self, param: Array, S: Array, state: Any, rate: float, step: int
    ) -> tuple[Array, Any]:
        raise NotImplementedError


def _gradient(S: Array) -> Array:
    """Return ∂f/∂x + i·∂f/∂y, the direction in which f rises fastest."""
    return np.conjugate(S) if S.dtype.kind == "c" else S


# Classes with the names of functions: an optimizer is then shown as the call that makes it, and
# pickle finds it by its name.


@dataclass(frozen=True)
class sgd(_Optimizer):
    """Return an optimizer that goes down the gradient: param - rate·S, with conj(S) if complex.

    It keeps no state. Its steps are those of ``torch.optim.SGD``.

    Args:
        rate: how far, per unit of S: a number, or a function of the step, from 1.

    Returns:
        A function ``(param, S, state, step) -> (param, state)`` of one parameter, of any shape and
        of any dtype of floats or complex numbers, which it keeps. S has both of them too; the
        arrays returned are new. It can be pickled if ``rate`` can.

    Raises:
        ArgumentError: ``rate`` is no function and no finite number from 0 up; or, of the returned
            function, S does not fit the parameter, or the rate's function gave no such number at
            this step.

    Example:
        ``param, state = bw.sgd(0.1)(param, S, None, 1)``

    """

    def _move(
        self, param: Array, S: Array, state: Any, rate: float, step: int
    ) -> tuple[Array, Any]:
        return param - rate * _gradient(S), None


@dataclass(frozen=True)
class momentum(_Optimizer):
    """Return an optimizer that keeps a velocity: v = beta·v + S, and param - rate·v.

    With S steady the velocity tends to S / (1 - beta). Of a complex parameter conj(S) stands for
    S. The method is Polyak's heavy ball (Some methods of speeding up the convergence of iteration
    methods, 1964), its steps those of ``torch.optim.SGD`` with ``momentum=beta`` and
    ``dampening=0``: the rate is outside the velocity, so that a schedule acts at once.

    Args:
        rate: how far, per unit of velocity: a number, or a function of the step, from 1.
        beta: how much of the velocity stays, in [0, 1).

    Returns:
        A function ``(param, S, state, step) -> (param, state)``, as of :func:`sgd`. Its state is
        the velocity, of the parameter's shape and dtype.

    Raises:
        ArgumentError: an argument is out of its range; or, of the returned function, as of
            :func:`sgd`.

    Example:
        ``bw.momentum(lambda step: 0.1 / step, beta=0.95)``

    """

    beta: float = 0.9

    def _move(
        self, param: Array, S: Array, state: Any, rate: float, step: int
    ) -> tuple[Array, Any]:
        S = _gradient(S)
        v = np.positive(S) if state is None else self.beta * state + S  # positive: a copy
        return param - rate * v, v


@dataclass(frozen=True)
class adam(_Optimizer):
    """Return Adam: a step is the mean of S over the root of the mean of S², times the rate.

    ::

        m = beta1·m + (1 - beta1)·S           m̂ = m / (1 - beta1^step)
        v = beta2·v + (1 - beta2)·S²          v̂ = v / (1 - beta2^step)
        param - rate·m̂ / (√v̂ + eps)

    From Kingma and Ba, Adam: a method for stochastic optimization (arXiv 1412.6980), algorithm 1.
    Its steps are those of ``torch.optim.Adam``, also in that the real and the imaginary part of a
    complex parameter are moved like two real parameters, each with a v of its own. (Elsewhere they
    share one, of abs(S)²; then the steps turn with S in the complex plane, and here they do not.)

    Args:
        rate: about how far an entry moves in a step, in the parameter's unit: a number, or a
            function of the step, from 1.
        beta1: how much of the mean of S stays, in [0, 1).
        beta2: how much of the mean of S² stays, in [0, 1).
        eps: keeps steps small where S is not far above it, in the unit of S; above 0.

    Returns:
        A function ``(param, S, state, step) -> (param, state)``, as of :func:`sgd`. Its state is
        the pair m, v, each of the parameter's shape and dtype; of a complex parameter two such
        pairs, of the real and the imaginary part.

    Raises:
        ArgumentError: an argument is out of its range; or, of the returned function, as of
            :func:`sgd`, or there is a state at step 1 or none later (step counts what is in the
            means), or ``eps`` is 0 in the parameter's precision.

    Example:
        ``bw.adam(1e-3)``

    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def _require(self, param: Array, state: Any, step: int) -> None:
        name = f"bw.{type(self).__name__}"
        if (state is None) != (step == 1):
            raise ArgumentError(
                f"{name}: at step {step} there is {'no' if state is None else 'a'} state: give "
                "None at step 1, and then what the last step returned"
            )
        if param.dtype.type(self.eps) == 0.0:  # or 0 / 0 where S is 0
            raise ArgumentError(
                f"{name}: eps={self.eps} is 0 in {param.dtype}, the parameter's precision: give "
                "more"
            )

    def _move(
        self, param: Array, S: Array, state: Any, rate: float, step: int
    ) -> tuple[Array, Any]:
        if param.dtype.kind != "c":
            return self._move_real(param, S, state, rate, step)
        of_x, of_y = state or (None, None)
        x, of_x = self._move_real(np.real(param), np.real(S), of_x, rate, step)
        y, of_y = self._move_real(np.imag(param), -np.imag(S), of_y, rate, step)
        return x + 1j * y, (of_x, of_y)

    def _move_real(
        self, param: Array, S: Array, state: Any, rate: float, step: int
    ) -> tuple[Array, Any]:
        # In place where an array is our own: new memory is what costs most.
        m = (1.0 - self.beta1) * S
        v = S * S
        v *= 1.0 - self.beta2
        if state is not None:
            m += self.beta1 * state[0]
            v += self.beta2 * state[1]
        root = np.sqrt(v)
        root /= (1.0 - self.beta2**step) ** 0.5
        root += self.eps
        moved = m * (-rate / (1.0 - self.beta1**step))
        moved /= root
        moved += param
        return moved, (m, v)


@dataclass(frozen=True)
class adamw(adam):
    """Return Adam that also lets the parameter decay: param·(1 - rate·weight_decay), then Adam.

    The decay does not go through S, so that it is not divided by √v̂ as a penalty in f would be.
    From Loshchilov and Hutter, Decoupled weight decay regularization (arXiv 1711.05101),
    algorithm 2. As in ``torch.optim.AdamW``, whose steps these are, the decay is times the rate; in
    the paper it is times the rate's schedule alone.

    Args:
        rate: about how far an entry moves in a step, in the parameter's unit: a number, or a
            function of the step, from 1.
        beta1: how much of the mean of S stays, in [0, 1).
        beta2: how much of the mean of S² stays, in [0, 1).
        eps: keeps steps small where S is not far above it, in the unit of S; above 0.
        weight_decay: what fraction of itself the parameter loses in a step, per unit of the rate;
            from 0 up.

    Returns:
        A function ``(param, S, state, step) -> (param, state)``, with the state of :func:`adam`.

    Raises:
        ArgumentError: as of :func:`adam`.

    Example:
        ``bw.adamw(1e-3, weight_decay=0.05)``

    """

    weight_decay: float = 0.01

    def _move(
        self, param: Array, S: Array, state: Any, rate: float, step: int
    ) -> tuple[Array, Any]:
        decayed = param * (1.0 - rate * self.weight_decay)
        return adam._move(self, decayed, S, state, rate, step)
