"""Where a worker's arrays live: in host memory as NumPy's, or on a GPU as CuPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..protocol.arrays import Array, settle
from ..protocol.errors import ClusterError

_SCALARS = (bool, int, float, complex)  # these types themselves: np.float64 is a float, too


class Host:
    """The CPU: arrays are NumPy's, and stay as they are."""

    name = "cpu"

    def put(self, value: Array) -> Array:
        """Bring a value that came from elsewhere here. A Python scalar stays one."""
        return value if type(value) in _SCALARS else settle(value)

    def get(self, value: Array) -> Array:
        """Bring a value into host memory."""
        return value

    def finish(self) -> None:
        """Wait until what was begun is done."""

    def sparse(self) -> None:
        """Return no library: compiled loops do better."""


class Device:
    """A GPU: arrays are those of ``cupy``, which stay on it between stages."""

    name = "gpu"

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy

    def put(self, value: Array) -> Array:
        """Copy a value to the device. A Python scalar stays one: it decides no dtype."""
        if type(value) in _SCALARS:
            return value
        return self._cupy.asarray(value)

    def get(self, value: Array) -> Array:
        """Copy a value to host memory, in the layout that it has."""
        return settle(self._cupy.asnumpy(value, order="A"))

    def finish(self) -> None:
        """Wait until the device has done what it was given."""
        self._cupy.cuda.get_current_stream().synchronize()

    def sparse(self) -> tuple[Any, Any, Callable[[Array], Array]]:
        """Return CuPy, its sparse matrices, and the way to the host."""
        from cupyx.scipy import sparse

        return self._cupy, sparse, self._cupy.asnumpy


def device(kind: str) -> Host | Device:
    """Return the device of a kind, ``"cpu"`` or ``"gpu"``.

    Raises:
        ClusterError: a GPU was asked for, and CuPy or the GPU is missing; says which.

    """
    if kind == "cpu":
        return Host()
    try:
        import cupy
    except ImportError as error:
        raise ClusterError(
            f"a GPU was asked for, and CuPy cannot be imported here ({error}); "
            f"install it with pip install 'backwave[gpu]', or run without --gpus"
        ) from None
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise ClusterError(
            f"a GPU was asked for, and CUDA finds none here ({error}); run without --gpus"
        ) from None
    if not found:
        raise ClusterError("a GPU was asked for, and CUDA finds none here; run without --gpus")
    return Device(cupy)
