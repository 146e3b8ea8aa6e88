"""Bytes: a header of plain data and the arrays that it describes, laid end to end.

    "backwave"  8 bytes
    version     u16, little-endian like all below
    header      u32, the header's length in bytes
    length      u64, of everything after the checksum
    checksum    u32, CRC-32 of everything before it (these 22 bytes) and after it
    header      msgpack
    arrays      raw bytes, each beginning at a multiple of 64 from the very first byte

Nothing that is read is executed or unpickled. What is allocated is bounded by the bytes given: a
header's objects by a multiple of its length, and arrays are views of the bytes. Whatever is wrong
with them, the error is :class:`WireError`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any, Literal

import msgpack
import numpy as np

from .arrays import DTYPES, Array, layout, nbytes
from .errors import WireError

VERSION = 1
_MAGIC = b"backwave"
_PREFIX = struct.Struct("<8sHIQ")
_CHECKSUM = struct.Struct("<I")
_START = _PREFIX.size + _CHECKSUM.size
_ALIGN = 64
_MAX_AXES = 64


def describe(value: Array) -> tuple[str, tuple[int, ...], str]:
    """Return what the wire says of an array: dtype, shape, and ``'C'`` or ``'F'`` order."""
    return np.dtype(value.dtype).str, tuple(value.shape), layout(value)


def pack_header(header: dict[str, Any]) -> bytes:
    """Encode a header: plain data only.

    Raises:
        WireError: there is something else in it.

    """
    try:
        packed: bytes = msgpack.packb(header)
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError(f"a header can hold plain data only: {error}") from None
    return packed


def unpack_header(data: bytes | memoryview) -> dict[str, Any]:
    """Decode a header.

    Raises:
        WireError: it is not msgpack, or not a map with string keys.

    """
    try:
        # A first walk makes no objects, and ends with an error where an array declares more
        # entries than there are: the second reserves room for all that are declared.
        walk = msgpack.Unpacker(max_buffer_size=len(data) + 1)
        walk.feed(data)
        walk.skip()
        header = msgpack.unpackb(data, use_list=False, strict_map_key=True, raw=False)
    except Exception as error:  # msgpack raises a dozen kinds for damaged bytes
        raise WireError(f"the header is damaged: {type(error).__name__} {error}") from None
    if not isinstance(header, dict) or not all(isinstance(key, str) for key in header):
        raise WireError("the header is not a map")
    return header


def checked_description(entry: Any) -> tuple[np.dtype[Any], tuple[int, ...], Literal["C", "F"]]:
    """Check what a header says of one array, before anything is made of it."""
    if not isinstance(entry, tuple) or len(entry) != 3:
        raise WireError("an array is not described by dtype, shape and order")
    code, shape, order = entry
    if not isinstance(code, str) or code not in DTYPES:
        raise WireError(f"an array has dtype {code!r:.20}, which the wire does not carry")
    if not isinstance(shape, tuple) or len(shape) > _MAX_AXES:
        raise WireError("an array's shape is damaged")
    if not all(type(length) is int and 0 <= length < 2**48 for length in shape):
        raise WireError(f"an array has the impossible shape {shape!r:.60}")
    if order not in ("C", "F"):
        raise WireError(f"an array has order {order!r:.20}, neither C nor F")
    return DTYPES[code], shape, "F" if order == "F" else "C"


def pack(header: dict[str, Any], arrays: Sequence[Array]) -> bytes:
    """Lay a header and arrays end to end. The header gets an entry ``arrays``."""
    arrays = [np.asarray(array) for array in arrays]
    for array in arrays:
        if array.dtype.str not in DTYPES:
            raise WireError(f"an array has dtype {array.dtype}, which the wire does not carry")
    packed = pack_header({**header, "arrays": [describe(array) for array in arrays]})
    parts = [packed]
    size = len(packed)
    for array in arrays:
        raw = array.tobytes(order="F" if layout(array) == "F" else "C")
        gap = -(_START + size) % _ALIGN
        parts += [bytes(gap), raw]
        size += gap + len(raw)
    body = b"".join(parts)
    prefix = _PREFIX.pack(_MAGIC, VERSION, len(packed), len(body))
    checksum = zlib.crc32(body, zlib.crc32(prefix))
    return prefix + _CHECKSUM.pack(checksum) + body


def unpack(data: bytes | memoryview) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Take a header and its arrays, read-only views of ``data``, apart again.

    Where ``data`` itself begins at an odd address, the arrays are copies: NumPy sums an unaligned
    array piece by piece, in another order than an aligned one.

    Raises:
        WireError: the bytes are truncated, damaged, foreign or of another version.

    """
    view = memoryview(data).cast("B")
    if len(view) < _START:
        raise WireError(f"{len(view)} bytes are too few: truncated, or not made by backwave")
    magic, version, header_length, length = _PREFIX.unpack_from(view)
    if magic != _MAGIC:
        raise WireError("these bytes do not begin as backwave's do: foreign, or damaged")
    if version != VERSION:
        raise WireError(f"the bytes are of version {version}, and this backwave reads {VERSION}")
    body = view[_START:]
    if len(body) != length:
        raise WireError(f"the bytes say that {length} follow, and {len(body)} do: truncated")
    (checksum,) = _CHECKSUM.unpack_from(view, _PREFIX.size)
    if zlib.crc32(body, zlib.crc32(view[: _PREFIX.size])) != checksum:
        raise WireError("the checksum does not fit the bytes: damaged")
    if header_length > length:
        raise WireError("the header is longer than the bytes")
    header = unpack_header(body[:header_length])
    described = header.pop("arrays", None)
    if not isinstance(described, tuple):
        raise WireError("the header does not describe its arrays")
    arrays = []
    at = header_length
    for entry in described:
        dtype, shape, order = checked_description(entry)
        at += -(_START + at) % _ALIGN
        size = nbytes(shape, dtype)
        if at + size > length:
            raise WireError("an array is larger than the bytes that are there")
        arrays.append(_view(body[at : at + size], dtype, shape, order))
        at += size
    if at != length:
        raise WireError(f"{length - at} bytes follow the last array")
    return header, arrays


def _view(
    raw: memoryview, dtype: np.dtype[Any], shape: tuple[int, ...], order: Literal["C", "F"]
) -> np.ndarray:
    flat = np.frombuffer(raw, dtype)
    if dtype.kind == "b" and np.any(np.frombuffer(raw, np.uint8) > 1):
        raise WireError("an array of truth values has others than 0 and 1")
    try:
        array = flat.reshape(shape, order=order)
    except ValueError:  # an empty one, with other axes longer than any machine's memory
        raise WireError(f"an array has the impossible shape {shape!r:.60}") from None
    if not array.flags.aligned:
        array = array.copy(order="A")
        array.flags.writeable = False
    return array
