"""A graph in copies whose weights are tied: parameters once, and data for each copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optree

from ..arrays import Array
from ..errors import ArgumentError
from ..message import FORWARD, Message
from ..outline import PlannedFrame
from ..parts import Leaf
from ..pytree import flatten_tree, pattern
from .bound import BoundGraph
from .graph import Graph
from .signature import Argnums, Shape, at_rest, differentiated_arguments, like

MEAN, SUM = COMBINE = "mean", "sum"
"""How the values of copies are put together, and with which S each begins: 1/m, or 1."""


class Tied:
    """What is given once, and what to each copy, of the arguments of a graph.

    Args:
        graph: the network of one copy.
        argnums: the arguments that are given once: one, or a tuple of several.
        takes: the structure of the arguments, if the graph itself does not know it.

    Attributes:
        parameters: the leaves in those arguments, in order: a parameter's key is its index here.

    Raises:
        ArgumentError: there is no such argument, or one is differentiated that is not among them.

    """

    def __init__(self, graph: Graph, argnums: Argnums, takes: Any = None) -> None:
        self.graph = graph
        self._takes = graph.takes if takes is None else takes
        self.argnums = argnums
        self._arguments = differentiated_arguments(graph.arguments, argnums)
        self.parameters = [leaf for leaf in graph.leaves if leaf.argument in self._arguments]
        outside = [x for x in graph.leaves if x.differentiated and x not in self.parameters]
        if outside:
            raise ArgumentError(
                f"{outside[0].path} is differentiated, and is not among the parameters "
                f"(argnums={argnums}): trace the function with argnums={argnums}, or name its "
                f"argument here"
            )

    @property
    def nodes(self) -> tuple[int, ...]:
        """The nodes of the parameters, by key."""
        return tuple(leaf.node for leaf in self.parameters)

    @property
    def data(self) -> list[int]:
        """The arguments that are given to each copy."""
        return [k for k in range(self.graph.arguments) if k not in self._arguments]

    def keys(self) -> dict[int, int]:
        """Return, by node, the key of each parameter that varies."""
        return {x.node: key for key, x in enumerate(self.parameters) if x.differentiated}

    def names(self) -> dict[int, str]:
        """Return what errors call the parameters, by key."""
        return {key: leaf.path for key, leaf in enumerate(self.parameters)}

    # Other networks over the same parameters.

    def of(self, graph: Graph) -> Tied:
        """Return the same for another network.

        Raises:
            ArgumentError: its parameters are others.

        """
        other = Tied(graph, self.argnums)
        mine, theirs = ([_described(tied, x) for x in tied.parameters] for tied in (self, other))
        if mine != theirs:
            differ = next((b for a, b in zip(mine, theirs, strict=False) if a != b), None)
            what = " ".join(map(str, differ)) if differ else f"{len(theirs)} arrays"
            raise ArgumentError(
                f"the network {graph.name} has other parameters than the session: {what}"
            )
        return other

    def of_product(self, graph: Graph) -> Tied:
        """Return the same for the network of ⟨∇f, v⟩, whose last argument v is given once too."""
        arguments = (*self._arguments, graph.arguments - 1)
        return Tied(graph, arguments, takes=self._takes)

    def directions(self, structure: Any, v: Any) -> list[tuple[int, Array]]:
        """Return v for each parameter that varies, with its key, in the order of a gradient.

        Raises:
            ArgumentError: v has another structure than the parameters, or an array another shape.

        """
        by_key = self._keyed(structure, v, "v")
        signature = self.graph.signature
        found = []
        for leaf in signature.gradient_leaves():
            key = self.parameters.index(leaf)
            node = self.graph.nodes[leaf.node]
            found.append((key, like(node, by_key[key], f"v for {leaf.path}", leaf.path)))
        return found

    def thawed(self, structure: Any, frozen: Any) -> dict[int, int]:
        """Return, by node, the keys of the parameters that vary and are not frozen.

        Raises:
            ArgumentError: ``frozen`` has another structure, or something else than truth values.

        """
        if frozen is None:
            return self.keys()
        by_key = self._keyed(structure, frozen, "frozen")
        for key, given in by_key.items():
            if not isinstance(given, bool | np.bool_):
                path = self.parameters[key].path
                raise ArgumentError(f"frozen for {path} is {given!r:.40}: give True or False")
        return {node: key for node, key in self.keys().items() if not by_key[key]}

    def _keyed(self, structure: Any, tree: Any, what: str) -> dict[int, Any]:
        """Return what a tree has for each parameter, by key: for all, or for those that vary."""
        leaves, found = flatten_tree(tree)
        all_keys = list(range(len(self.parameters)))
        varying = [key for key in all_keys if self.parameters[key].differentiated]
        for keys in (all_keys, varying):
            tree = self.structured(structure, {key: key for key in keys})
            order, expected = flatten_tree(tree)
            if found == expected:
                return dict(zip(order, leaves, strict=True))
        raise ArgumentError(
            f"{what} has the structure {pattern(found)}, and the parameters have "
            f"{pattern(structure)}"
        )

    # Parameters.

    def split(self, params: Any) -> tuple[list[Array], Any]:
        """Return the values of the parameters by key, checked, and their structure.

        Raises:
            ArgumentError: they are not as the graph was traced.

        """
        if isinstance(self.argnums, int):
            each = {self._arguments[0]: params}
        elif not isinstance(params, tuple | list) or len(params) != len(self._arguments):
            raise ArgumentError(
                f"params are the {len(self._arguments)} arguments argnums={self.argnums} of the "
                f"graph: give a tuple of so many"
            )
        else:
            each = dict(zip(self._arguments, params, strict=True))
        found: list[Array] = []
        for argument in sorted(each):
            leaves = [leaf for leaf in self.parameters if leaf.argument == argument]
            values = self._flat(each[argument], argument, leaves)
            found += [
                self.graph.signature.fitting(x, v) for x, v in zip(leaves, values, strict=True)
            ]
        return found, flatten_tree(params)[1]

    def structured(self, structure: Any, by_key: Mapping[int, Any]) -> Any:
        """Return what belongs to the parameters in their structure; None where there is none."""
        order = list(range(len(self.parameters)))
        if not isinstance(self.argnums, int):  # argnums may name the arguments in another order
            order.sort(key=lambda key: self._arguments.index(self.parameters[key].argument))
        return optree.tree_unflatten(structure, [by_key.get(key) for key in order])

    def _flat(self, value: Any, argument: int, leaves: Sequence[Leaf]) -> list[Any]:
        values, structure = flatten_tree(value)
        expected = self._structure(argument)
        if len(values) != len(leaves) or (expected is not None and structure != expected):
            what = pattern(expected) if expected is not None else f"{len(leaves)} arrays"
            raise ArgumentError(
                f"args[{argument}] has the structure {pattern(structure)}, and the graph was "
                f"traced with {what}"
            )
        if expected is None:
            _require_paths(argument, structure, leaves)
        return values

    def _structure(self, argument: int) -> Any:
        """Return the structure of an argument, as far as the graph knows it."""
        return None if self._takes is None else self._takes.children()[argument]

    # Data.

    def bind(self, data: tuple[Any, ...], copies: int, S: Any, combine: str) -> list[BoundGraph]:
        """Return, for each copy, its data and S at the outputs.

        Args:
            data: for each argument that is no parameter its values for all copies: arrays with a
                leading axis of ``copies``, or lists of so many. One copy has no such axis.
            copies: how many there are.
            S: S at the outputs of each copy, in the structure of the function's value; None: 1.
            combine: ``"mean"``: S is divided by the number of copies; or ``"sum"``.

        Raises:
            ArgumentError: something does not fit.
            NotScalarError: S is not given, and the value is not one number.

        """
        if len(data) != len(self.data):
            which = ", ".join(f"args[{k}]" for k in self.data)
            raise ArgumentError(
                f"each copy takes {len(self.data)} arguments beside the parameters ({which}), and "
                f"{len(data)} were given"
            )
        each: list[dict[int, Array]] = [{} for _ in range(copies)]
        for argument, value in zip(self.data, data, strict=True):
            leaves = [leaf for leaf in self.graph.leaves if leaf.argument == argument]
            for copy, values in enumerate(self._of_copies(value, argument, leaves, copies)):
                for leaf, given in zip(leaves, values, strict=True):
                    each[copy][leaf.node] = self.graph.signature.fitting(leaf, given)
        seeds = self._seeds(S, copies if combine == MEAN else 1)
        return [BoundGraph(values, seeds, None) for values in each]

    def _seeds(self, S: Any, share: int) -> dict[int, Array]:
        graph = self.graph
        seeds = {graph.output: graph.first_S()} if S is None else graph.signature.S_like(S)
        if share == 1:
            return seeds
        return {u: given * given.dtype.type(1 / share) for u, given in seeds.items()}

    def _of_copies(
        self, value: Any, argument: int, leaves: Sequence[Leaf], copies: int
    ) -> list[list[Any]]:
        """Take one argument apart: for each copy the values of its leaves."""
        values, structure = flatten_tree(value)
        expected = self._structure(argument)
        if len(values) == len(leaves) and expected in (None, structure):
            if expected is None:
                _require_paths(argument, structure, leaves)
            columns = [self._sliced(x, v, copies) for x, v in zip(leaves, values, strict=True)]
            return [list(row) for row in zip(*columns, strict=True)] or [[] for _ in range(copies)]
        if isinstance(value, list | tuple) and len(value) == copies:
            return [self._flat(each, argument, leaves) for each in value]
        if expected is not None:
            lists = _lists(expected, value)
            if lists is not None and all(len(some) == copies for some in lists):
                return [[some[copy] for some in lists] for copy in range(copies)]
        raise ArgumentError(
            f"args[{argument}] has the structure {pattern(structure)}, and must have that of the "
            f"trace, each array with a leading axis of micro_batches={copies}; or be a list of "
            f"{copies} of such"
        )

    def _sliced(self, leaf: Leaf, value: Any, copies: int) -> list[Any]:
        """Return the part of each copy."""
        node = self.graph.nodes[leaf.node]
        if copies == 1 and np.shape(value) == node.shape:
            return [value]
        if isinstance(value, Shape):
            at_rest(value, leaf.path)
        if np.shape(value) != (copies, *node.shape):
            axis = f" behind a leading axis of micro_batches={copies}" if copies > 1 else ""
            raise ArgumentError(
                f"{leaf.path} has shape {np.shape(value)}, and each copy takes {node.shape}{axis}"
            )
        return [value[copy] for copy in range(copies)]

    # What comes back.

    def value(self, fetched: Sequence[tuple[PlannedFrame, Sequence[Message]]]) -> Any:
        """Return the value of one copy, of what came to the caller."""
        found = dict(self.graph.constants)
        for frame, messages in fetched:
            if frame.kind == FORWARD:
                found.update(messages)
        return self.graph.value_of(found)

    def together(self, values: Sequence[Any], combine: str) -> Any:
        """Return the sum of the copies' values, in copy order, or their mean."""
        flat = [flatten_tree(value) for value in values]
        totals = [
            sum(column[1:], start=column[0]) for column in zip(*[f[0] for f in flat], strict=True)
        ]
        if combine == MEAN and len(values) > 1:
            totals = [total / total.dtype.type(len(values)) for total in totals]
        return optree.tree_unflatten(flat[0][1], totals)


def _require_paths(argument: int, structure: Any, leaves: Sequence[Leaf]) -> None:
    """Raise unless an argument is built as the graph says, which a file holds leaf by leaf."""
    paths = [each.codify(f"args[{argument}]") for each in structure.accessors()]
    if paths != [leaf.path for leaf in leaves]:
        raise ArgumentError(
            f"args[{argument}] has {', '.join(paths)}, and the graph was traced with "
            f"{', '.join(leaf.path for leaf in leaves)}"
        )


def _lists(expected: Any, value: Any) -> list[Any] | None:
    """Return what stands at each leaf of a structure, if those are lists of something."""
    try:
        found = expected.flatten_up_to(value)
    except ValueError:
        return None
    return found if all(isinstance(each, list | tuple) for each in found) else None


def _described(tied: Tied, leaf: Leaf) -> tuple[str, str, list[int]]:
    node = tied.graph.nodes[leaf.node]
    return leaf.path, node.dtype.name, list(node.shape)
