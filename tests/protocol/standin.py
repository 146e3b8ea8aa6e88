"""A device array with no device: what a rule may do with CuPy's arrays, and nothing more.

It stands for ``cupy.ndarray`` where rules are tested without a GPU. It computes with NumPy in
private, so that its bits must be NumPy's, but it never becomes a NumPy array by itself, does not
mix with one, keeps 0-d results as arrays, and has no ``np.add.at``.
"""

from types import SimpleNamespace

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class DeviceArray(NDArrayOperatorsMixin):
    __slots__ = ("_array",)

    def __init__(self, array):
        self._array = np.array(array)

    # NumPy's two protocols.

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **kwargs):
        if method == "at":
            raise TypeError(f"np.{ufunc.__name__}.at does not reach a device array")
        if out:
            kwargs["out"] = tuple(map(_unwrap, out))
        return _wrap(getattr(ufunc, method)(*map(_unwrap, inputs), **kwargs))

    def __array_function__(self, function, types, args, kwargs):
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


def _add_at(array, index, value):
    np.add.at(array._array, _unwrap(index), _unwrap(value))


_NAMESPACE = SimpleNamespace(add=SimpleNamespace(at=_add_at))
