"""Messages between partitions: a frame is what one sends another at one time.

A frame is a header (msgpack: who sends what to whom, in which pass and stage) and its arrays
beside it, so that they can travel out of band and without a copy. Laid end to end, the two are
the file form, which another machine can read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from . import wire
from .arrays import Array, nbytes
from .errors import WireError

CALLER = -1
"""The partition number of whoever asked for the run: it sends leaf values and gets results."""

FORWARD, BACKWARD, SUMS, PARAMETERS = KINDS = "forward", "backward", "sums", "parameters"
"""The kinds of frame: values going up, messages going down, S from or for the caller, and values
of parameters, which go to those that use them before the passes of a step."""


class Message(NamedTuple):
    """One value on its way: S·∂u/∂z on an edge, or a node's value going up.

    ``key`` is the edge's number in a backward frame, the node's id in the others.
    """

    key: int
    value: Array


class Address(NamedTuple):
    """Who sends a frame to whom, and when: see :class:`Header`."""

    run: str = ""
    number: int = 0
    stage: int = 0
    sender: int = CALLER
    receiver: int = CALLER
    incarnation: int = 0


@dataclass(frozen=True, slots=True)
class Header:
    """Who sends a frame to whom, and when.

    ``run`` names the run, ``number`` the pass in it. ``stage`` is the sender's stage in the plan;
    ``incarnation`` counts how often the sender's worker has been started. ``keys`` and ``arrays``
    say of each message what it is, its dtype, shape and order.
    """

    kind: str
    run: str
    number: int
    stage: int
    sender: int
    receiver: int
    incarnation: int
    keys: tuple[int, ...]
    arrays: tuple[tuple[str, tuple[int, ...], str], ...]

    def encode(self) -> bytes:
        """Return the header as msgpack."""
        return wire.pack_header(self._fields())

    def _fields(self) -> dict[str, Any]:
        return {
            "version": wire.VERSION,
            "kind": self.kind,
            "run": self.run,
            "pass": self.number,
            "stage": self.stage,
            "sender": self.sender,
            "receiver": self.receiver,
            "incarnation": self.incarnation,
            "keys": self.keys,
            "arrays": self.arrays,
        }

    @classmethod
    def decode(cls, data: bytes | memoryview) -> Header:
        """Read a header, checking every field.

        Raises:
            WireError: it is damaged, foreign or of another version.

        """
        return cls._checked(wire.unpack_header(data))

    @classmethod
    def _checked(cls, fields: dict[str, Any]) -> Header:
        if fields.get("version") != wire.VERSION:
            raise WireError(
                f"the frame is of version {fields.get('version')!r:.20}, not {wire.VERSION}"
            )
        if fields.get("kind") not in KINDS:
            raise WireError(f"the frame is of kind {fields.get('kind')!r:.20}")
        if not isinstance(fields.get("run"), str):
            raise WireError("the frame's run is not a string")
        for name in ("pass", "stage", "sender", "receiver", "incarnation"):
            if not _is_count(fields.get(name), at_least=CALLER):
                raise WireError(f"the frame's {name} is {fields.get(name)!r:.20}")
        keys, arrays = fields.get("keys"), fields.get("arrays")
        if not isinstance(keys, tuple) or not all(_is_count(key) for key in keys):
            raise WireError("the frame's keys are damaged")
        if not isinstance(arrays, tuple) or len(arrays) != len(keys):
            raise WireError("the frame does not describe each of its messages")
        for entry in arrays:
            wire.checked_description(entry)
        return cls(
            fields["kind"],
            fields["run"],
            fields["pass"],
            fields["stage"],
            fields["sender"],
            fields["receiver"],
            fields["incarnation"],
            keys,
            arrays,
        )


def _is_count(value: Any, at_least: int = 0) -> bool:
    return type(value) is int and at_least <= value < 2**48


class Frame(NamedTuple):
    """A header, encoded, and the arrays of its messages beside it.

    A tuple of plain things, so that whatever carries it can pass the arrays by reference.
    """

    header: bytes
    arrays: tuple[Array, ...]

    @classmethod
    def of(
        cls, kind: str, messages: Iterable[tuple[int, Array]], address: Address | None = None
    ) -> Frame:
        """Make a frame of ``(key, value)`` pairs; without an address it goes nowhere."""
        pairs = list(messages)
        arrays = tuple(value for _, value in pairs)
        keys = tuple(key for key, _ in pairs)
        header = Header(kind, *(address or Address()), keys, tuple(map(wire.describe, arrays)))
        return cls(header.encode(), arrays)

    def open(self) -> tuple[Header, list[Message]]:
        """Decode the header and hold the arrays to it.

        Raises:
            WireError: the header is damaged, or the arrays are not what it says.

        """
        header = Header.decode(self.header)
        if len(self.arrays) != len(header.keys):
            raise WireError(
                f"the frame has {len(self.arrays)} arrays and its header says {len(header.keys)}"
            )
        messages = []
        for key, said, value in zip(header.keys, header.arrays, self.arrays, strict=True):
            if not hasattr(value, "dtype"):
                raise WireError(f"message {key} is {type(value).__name__}, and no array")
            if wire.describe(value) != said:
                raise WireError(
                    f"message {key} is {wire.describe(value)}, and the header says {said}"
                )
            messages.append(Message(key, value))
        return header, messages

    def carried(self, convert: Callable[[Array], Array]) -> Frame:
        """Return the frame with its arrays converted, say from a device to the host."""
        return Frame(self.header, tuple(convert(value) for value in self.arrays))

    @property
    def payload_bytes(self) -> int:
        """Bytes of the arrays, without the header."""
        return sum(nbytes(value.shape, value.dtype) for value in self.arrays)

    def to_bytes(self) -> bytes:
        """Return the file form: the header and the arrays, laid end to end."""
        header = Header.decode(self.header)
        return wire.pack({**header._fields(), "format": "frame"}, self.arrays)

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Frame:
        """Read the file form; the arrays are read-only views of ``data``.

        Raises:
            WireError: whatever is wrong with the bytes.

        """
        fields, arrays = wire.unpack(data)
        if fields.pop("format", None) != "frame":
            raise WireError("these bytes are not a frame")
        described = tuple(map(wire.describe, arrays))
        header = Header._checked({**fields, "arrays": described})
        return cls(header.encode(), tuple(arrays))
