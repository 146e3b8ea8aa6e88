"""The parts of a network: nodes, the edges between them, leaves, and guards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from .rules import Abstract
from .source_line import Origin, line_of

LEAF = "leaf"
CONSTANT = "constant"


class Edge(NamedTuple):
    """The ``position``-th input of node ``target``, which comes from node ``source`` below it."""

    source: int
    target: int
    position: int


class Node:
    """One node: a primitive by name, its input nodes, attributes, shape, dtype, and origin.

    ``origin`` is the instruction or the line of the user's program that it comes from.
    """

    __slots__ = ("_name", "attributes", "dtype", "id", "inputs", "origin", "primitive", "shape")

    def __init__(
        self,
        id: int,
        primitive: str,
        inputs: tuple[int, ...],
        attributes: dict[str, Any],
        shape: tuple[int, ...],
        dtype: Any,
        origin: Origin = "",
        name: str = "",
    ) -> None:
        self.id = id
        self.primitive = primitive
        self.inputs = inputs
        self.attributes = attributes
        self.shape = shape
        self.dtype = dtype
        self.origin = origin
        self._name = name

    @property
    def name(self) -> str:
        """A readable name: a leaf's path among the arguments, else the primitive and the id."""
        return self._name or f"{self.primitive}:{self.id}"

    @property
    def line(self) -> str:
        """The user's source line, ``file.py:12``, or an empty string."""
        self.origin = line_of(self.origin)
        return self.origin

    @property
    def abstract(self) -> Abstract:
        """The node's shape and dtype."""
        return Abstract(self.shape, self.dtype)

    def __repr__(self) -> str:
        """Show name, dtype, shape and inputs."""
        inputs = ", ".join(map(str, self.inputs))
        return f"<node {self.id} {self.name}({inputs}) {self.dtype}{list(self.shape)}>"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One array among the arguments: its node, the argument it is in, and whether it varies."""

    node: int
    argument: int
    path: str
    differentiated: bool


@dataclass(frozen=True, slots=True)
class Guard:
    """A value on which the traced Python program branched; a replay must find it again."""

    node: int
    value: bool | int
    line: str


class Wiring(NamedTuple):
    """The edges, seen from their ends.

    Attributes:
        sends: for each node that sends, the numbers of its edges, which stand together.
        turn: for each edge, how many messages its source takes before the one on it.
        fan_out: for each node that receives, how many messages come.

    """

    sends: dict[int, range]
    turn: list[int]
    fan_out: dict[int, int]
