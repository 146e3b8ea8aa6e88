"""A device array with no device: what a rule may do with CuPy's arrays, and nothing more.

It stands for ``cupy.ndarray`` where rules are tested without a GPU. It computes with NumPy in
private, so that its bits must be NumPy's, but it never becomes a NumPy array by itself, does not
mix with one, keeps 0-d results as arrays, and has no ``np.add.at``. Functions, keywords and ufuncs
that CuPy has not (``cupy_has.py``) it refuses as CuPy does.
"""

from types import SimpleNamespace

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from scipy import special

from .cupy_has import ADD_AT, NO_FUNCTIONS, NO_KEYWORDS, NO_UFUNCS, REAL_UFUNCS, SPECIAL_UFUNCS


class DeviceArray(NDArrayOperatorsMixin):
    __slots__ = ("_array",)

    def __init__(self, array):
        self._array = np.array(array)

    # NumPy's two protocols.

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **kwargs):
        name = ufunc.__name__
        if name in NO_UFUNCS or (not hasattr(np, name) and name not in SPECIAL_UFUNCS):
            return NotImplemented
        if method != "__call__":  # CuPy has some, but np.add.at is not handed to it
            raise TypeError(f"np.{name}.{method} does not reach a device array")
        if kwargs.keys() - {"dtype", "casting"} or len(out) > 1:
            raise TypeError(f"{name}: wrong arguments {kwargs}")
        if name in REAL_UFUNCS and any(np.iscomplexobj(_unwrap(each)) for each in inputs):
            raise TypeError(f"{name}: wrong type, complex")
        if out:
            kwargs["out"] = tuple(map(_unwrap, out))
        return _wrap(getattr(ufunc, method)(*map(_unwrap, inputs), **kwargs))

    def __array_function__(self, function, types, args, kwargs):
        name = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
        if name in NO_FUNCTIONS:
            return NotImplemented
        for keyword in kwargs:
            if (name, keyword) in NO_KEYWORDS:
                raise TypeError(f"{name}() got an unexpected keyword argument {keyword!r}")
        if function in _REFUSES:
            _REFUSES[function](*args, **kwargs)
        return _wrap(function(*_unwrap(args), **_unwrap(kwargs)))

    def __array_namespace__(self, *, api_version=None):
        return _NAMESPACE

    # Nothing leaves the device by accident.

    def __array__(self, *args, **kwargs):
        raise TypeError("implicit conversion of a device array to a NumPy array")

    def __bool__(self):
        raise TypeError("implicit transfer of a device array to the host")

    __float__ = __int__ = __index__ = __complex__ = __bool__

    def get(self):
        """Copy to the host, on purpose."""
        return self._array.copy(order="K")

    # What arrays have.

    @property
    def shape(self):
        return self._array.shape

    @property
    def dtype(self):
        return self._array.dtype

    @property
    def ndim(self):
        return self._array.ndim

    @property
    def size(self):
        return self._array.size

    @property
    def flags(self):
        return self._array.flags

    @property
    def T(self):
        return _wrap(self._array.T)

    def astype(self, dtype, copy=True):
        return _wrap(self._array.astype(dtype, copy=copy))

    def copy(self, order="C"):
        return _wrap(self._array.copy(order))

    def __len__(self):
        return len(self._array)

    def __getitem__(self, index):
        return _wrap(self._array[_unwrap(index)])

    def __setitem__(self, index, value):
        self._array[_unwrap(index)] = _unwrap(value)

    def __repr__(self):
        return f"DeviceArray({self._array!r})"


def _unwrap(value):
    if isinstance(value, DeviceArray):
        return value._array
    if isinstance(value, np.ndarray):
        raise TypeError("a device array does not mix with a NumPy array")
    if isinstance(value, tuple | list):
        return type(value)(map(_unwrap, value))
    if isinstance(value, dict):
        return {name: _unwrap(each) for name, each in value.items()}
    return value


def _wrap(value):
    if isinstance(value, np.ndarray | np.generic):
        wrapped = DeviceArray.__new__(DeviceArray)
        wrapped._array = np.asarray(value)
        return wrapped
    if isinstance(value, tuple):  # eigh and its like give named tuples
        fields = map(_wrap, value)
        return type(value)(*fields) if hasattr(value, "_fields") else tuple(fields)
    return value


# Where CuPy's function takes less than NumPy's of the same name and keywords.


def _where(condition, *values):
    if not hasattr(condition, "astype"):
        raise AttributeError(f"{type(condition).__name__!r} object has no attribute 'astype'")


def _solve(a, b):
    if b.ndim > 1 and a.shape[:-1] != b.shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K)")


def _sliding_window_view(x, window_shape, axis=None):
    axes = axis if isinstance(axis, tuple) else (axis,)
    if list(axes) != sorted(set(axes)):
        raise ValueError("CuPy sorts the axes of windows, and takes none twice")


_REFUSES = {
    np.where: _where,
    np.linalg.solve: _solve,
    np.lib.stride_tricks.sliding_window_view: _sliding_window_view,
}


def _add_at(array, index, value):
    if array.dtype.str[1:] not in ADD_AT:
        raise TypeError(f"add.at does not add {array.dtype}")
    np.add.at(array._array, _unwrap(index), _unwrap(value))


def _special(name):
    return lambda *z: _wrap(getattr(special, name)(*map(_unwrap, z)))


_NAMESPACE = SimpleNamespace(
    add=SimpleNamespace(at=_add_at),
    special=SimpleNamespace(zeta=_special("zeta"), lambertw=_special("lambertw")),
)
