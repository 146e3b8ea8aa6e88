"""A session: parameters that stay on their workers, and steps that send data only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np

from ..protocol.arrays import Array, settle
from ..protocol.derivatives.gradient_network import hvp_network
from ..protocol.errors import ArgumentError, ClusterError
from ..protocol.graph.graph import Graph, require_graph
from ..protocol.graph.tied import MEAN, Tied
from ..protocol.ledger import Counts
from ..protocol.message import PARAMETERS, Address, Frame
from ..protocol.parameters import Optimizer, Update
from ..protocol.residents import PassOptions
from ..protocol.result import StepResult
from ..scheduler.make_plan import Staying, plan
from ..scheduler.order import Order
from ..scheduler.partition import LEVELS, Mapped
from ..scheduler.plan import CPU, Plan
from ..scheduler.run import Passing, Run, drive
from ..scheduler.schedule import Schedule
from ..scheduler.waits import require_possible
from .crew import Crew, LocalCrew
from .execute import new_run
from .settings import Settings
from .step import Loaded, Step, called, own

KEPT_NETWORKS = 8
"""How many networks a session keeps loaded: its own, and the last others that it ran."""


class Session:
    """Parameters that stay where they live, and passes of copies of a network over them.

    Made by :func:`session` or :meth:`Cluster.session`, and used as a context manager.

    Attributes:
        graph: the network of one copy.
        plan: where its nodes live.

    """

    def __init__(
        self,
        graph: Graph,
        params: Any,
        argnums: int | tuple[int, ...] | None,
        settings: Settings,
        crew: Crew,
    ) -> None:
        require_graph(graph)
        graph.require_dependence()
        self.graph = graph
        self._settings = settings
        self._crew = crew
        self._name = new_run()
        self._closed = False
        self._version = 0
        self._last: Loaded | None = None
        tied = Tied(graph, argnums)
        values, self._structure = tied.split(params)
        self.plan = self._planned(tied, None)
        order = self._order(self.plan)  # what cannot work costs no workers
        self._homes = [int(self.plan.partition[node]) for node in tied.nodes]
        engine = crew.engine(self.plan, self._name)
        self._loaded: dict[Graph, Loaded] = {graph: Loaded(tied, self.plan, engine, order=order)}
        self._give(dict(enumerate(values)), self._homes)

    def __enter__(self) -> Session:
        """Return the session."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the workers forget it."""
        self.close()

    def close(self) -> None:
        """Let the workers forget the parameters and the plans. May be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            self._crew.require_there()
            partitions = max(each.plan.partitions for each in self._loaded.values())
            self._crew.call("end", {p: (self._name,) for p in range(partitions)})
        except ClusterError:
            pass  # they are gone, and what they kept is

    @property
    def is_open(self) -> bool:
        """Whether the workers still keep the parameters for it, as far as is known here."""
        return not self._closed

    # Steps.

    def backward(
        self,
        *data: Any,
        S: Any = None,
        grads: bool = False,
        keep_S: bool = False,
        graph: Graph | None = None,
        check_finite: bool = False,
        record: bool = False,
    ) -> StepResult:
        """Run a pass of each copy, with the data given and the parameters that stay.

        Args:
            *data: for each argument that is no parameter, in order, its values: with
                ``micro_batches=m`` above 1 each array has a leading axis of m, or is a list of m.
            S: S at the outputs of each copy, in the structure of the function's value; by default
                the article's 1. With ``combine="mean"`` it is multiplied by 1/m.
            grads: whether the gradients are fetched, as :meth:`gradients` does.
            keep_S: whether S is kept at every node until the next step.
            graph: another network over the same parameters (a short last batch, a longer sequence).
            check_finite: raise NonFiniteError at the first node where a NaN or infinity arises.
            record: keep each message's norm and thumbnail.

        Returns:
            The value, the checked ledger, the timeline, each worker's share.

        Raises:
            ArgumentError: the data, or S, do not fit.
            PlanError: the network cannot be planned so, or the schedule would never end.
            BackwaveError: as :func:`backwave.backward`, from whichever worker it arose on.

        Example:
            ``result = session.backward(x, y); session.update(bw.optimizers.sgd(0.1))``

        """
        loaded = self._of(self.graph if graph is None else graph)
        options = PassOptions(check_finite, keep_S, record)
        self._last = None  # if the step fails, nobody has its sums
        result = self._step(loaded, data, S, options)
        self._last = loaded
        if grads:
            found, fetched = self._fetch_sums(loaded)
            result.grads = found
            _add_called(result, fetched)
        return result

    def gradients(self) -> Any:
        """Return S at the parameters: the sum over the copies of the last step, in copy order.

        Returns:
            In the structure of the parameters; None at those that do not vary.

        Raises:
            ArgumentError: no step has come to its end.

        """
        return self._fetch_sums(self._stepped("gradients()"))[0]

    def params(self) -> Any:
        """Return the parameters as they are now, in the structure in which they were given."""
        self._require_open()
        homes = sorted(set(self._homes))
        frames = self._call("parameters", {p: (self._name, p) for p in homes})
        found: dict[int, Array] = {}
        for frame in frames.values():
            found.update((key, own(value)) for key, value in Frame(*frame).open()[1])
        return self._of(self.graph).tied.structured(self._structure, found)

    def update(self, optimizer: Optimizer, *, frozen: Any = None) -> None:
        """Change each parameter where it lives, by the sums of the last step; all or none.

        Args:
            optimizer: ``(param, S, state, step) -> (param, state)`` of NumPy functions, such as
                ``bw.optimizers.adam(1e-3)``. It is called once for each leaf that varies, with
                views that cannot be written; step counts that leaf's updates from 1, and state is
                None at first. It travels to the workers.
            frozen: a pytree of truth values in the structure of the parameters: True where a leaf
                stays as it is.

        Raises:
            ArgumentError: the optimizer failed or returned something else, or no step has been run
                since the last update. No parameter has changed then.

        """
        loaded = self._stepped("update()")
        if not callable(optimizer):
            raise ArgumentError(
                f"{optimizer!r:.60} is no optimizer: give a function "
                f"(param, S, state, step) -> (param, state), such as bw.optimizers.sgd(0.1)"
            )
        keys = loaded.tied.thawed(self._structure, frozen)
        number = self._version + 1
        update = Update(optimizer, self._settings.micro_batches, keys, loaded.tied.names(), number)
        homes = sorted({self._homes[key] for key in keys.values()})
        run = loaded.engine.run
        try:
            self._call("update", {p: (run, update) for p in homes})
        except BaseException:
            with suppress(ClusterError):  # then what was kept is gone
                self._crew.require_there()
                self._call("undo", {p: (self._name, number) for p in homes})
            raise
        self._last = None
        self._version = number

    def hvp(self, v: Any, *data: Any, check_finite: bool = False) -> StepResult:
        """Run a Hessian-vector product: a wave through the network of ⟨∇f, v⟩, for each copy.

        Args:
            v: a direction in the structure of the parameters; None, or anything, at those that do
                not vary.
            *data: as :meth:`backward` takes it.
            check_finite: raise NonFiniteError at the first node where a NaN or infinity arises.

        Returns:
            A result whose ``grads`` are the Hessian of the mean (or sum) over copies times v, in
            the structure of the parameters, and whose ``value`` is ⟨∇f, v⟩.

        Raises:
            ArgumentError: v has another structure or shape than the parameters.
            IndependentOutputError: f is linear: its Hessian is 0, and there is nothing to send.

        """
        tied = self._of(self.graph).tied
        directions = tied.directions(self._structure, v)
        loaded = self._of(hvp_network(self.graph), beside=[key for key, _ in directions])
        behind = len(tied.parameters)
        sent = self._give(
            {behind + k: given for k, (_, given) in enumerate(directions)},
            [self._homes[key] for key, _ in directions],
        )
        loaded.shared = -1  # v is another each time
        result = self._step(loaded, data, None, PassOptions(check_finite, keep_S=False))
        result.grads, fetched = self._fetch_sums(loaded)
        _add_called(result, sent + fetched)
        return result

    # Networks, and who holds them.

    def _of(self, graph: Graph, beside: Sequence[int] = ()) -> Loaded:
        """Return a network that the workers hold; one that is new is planned and loaded.

        ``beside`` are the parameters next to which directions live, for a network that takes them.
        """
        self._require_open()
        require_graph(graph)
        if graph not in self._loaded:
            graph.require_dependence()
            first = self._loaded[self.graph].tied
            tied = first.of(graph) if not beside else first.of_product(graph)
            homes = [*self._homes, *(self._homes[key] for key in beside)]
            planned = self._planned(tied, homes)
            engine = self._crew.engine(planned, self._name)
            self._loaded[graph] = Loaded(tied, planned, engine)
            self._forget_one()
        loaded = self._loaded[graph] = self._loaded.pop(graph)  # the last that was asked for
        return loaded

    def _forget_one(self) -> None:
        """Where there are many networks, let the workers forget that which was asked for first.

        But not the session's own, nor that of the last step, whose sums are there.
        """
        if len(self._loaded) <= KEPT_NETWORKS:
            return
        kept = self._loaded[self.graph], self._last
        graph = next(each for each, loaded in self._loaded.items() if loaded not in kept)
        old = self._loaded.pop(graph)
        self._call("unload", {p: (old.engine.run,) for p in range(old.plan.partitions)})

    def _planned(self, tied: Tied, homes: Sequence[int] | None) -> Plan:
        settings = self._settings
        partitioner = settings.partitioner
        own = partitioner is not None and not isinstance(partitioner, str)
        if (
            homes is not None
            and own
            and (len(homes) > len(self._homes) or not callable(partitioner))
        ):
            partitioner = LEVELS  # what names nodes of one network fits no other
        made = plan(
            tied.graph,
            settings.workers,
            settings.granularity,
            partitioner,
            settings.schedule,
            settings.gpus if homes is None else 0,
            settings.combiner,
            parameters=Staying(tied.nodes, homes),
        )
        if homes is None:
            return made
        devices = (*self.plan.devices, *(CPU,) * made.partitions)[: made.partitions]
        return replace(made, devices=devices)

    def _order(self, the_plan: Plan) -> Order:
        """Return the firings of the copies, which can be run to their end.

        Raises:
            PlanError: they cannot; names the cycle of what waits for what.

        """
        settings = self._settings
        numbers = range(settings.micro_batches)
        order = the_plan.schedule.order(the_plan.flow, numbers, settings.in_flight)
        require_possible(the_plan, order, numbers, settings.in_flight)
        return order

    def _give(self, values: Mapping[int, Array], homes: Sequence[int]) -> Counts:
        """Send values of parameters, by key, to where they live; return what that counts."""
        frames: dict[int, list[tuple[int, Array]]] = {}
        for (key, value), home in zip(values.items(), homes, strict=True):
            frames.setdefault(home, []).append((key, value))
        sent = {
            home: Frame.of(PARAMETERS, pairs, Address(receiver=home))
            for home, pairs in frames.items()
        }
        self._call("keep", {home: (self._name, frame) for home, frame in sent.items()})
        return called(sent.values())

    def _call(self, method: str, given: Mapping[int, tuple[Any, ...]]) -> dict[int, Any]:
        try:
            return self._crew.call(method, given)
        except (ClusterError, KeyboardInterrupt) as error:
            self._crew.failed(error)
            raise

    def _require_open(self) -> None:
        if self._closed:
            raise ClusterError("the session is closed; use it inside `with ... as session:`")
        self._crew.require_there()

    # A step.

    def _step(
        self, loaded: Loaded, data: tuple[Any, ...], S: Any, options: PassOptions
    ) -> StepResult:
        settings = self._settings
        copies = settings.micro_batches
        bounds = loaded.tied.bind(data, copies, S, settings.combine)
        if loaded.order is None:
            loaded.order = self._order(loaded.plan)
        step = Step(loaded, copies, loaded.number)
        loaded.number += 1 + copies
        shares_now = bool(loaded.plan.sharing) and loaded.shared != self._version
        passes = [Passing(step.first + k, bound, options) for k, bound in enumerate(bounds)]
        try:
            run = Run(
                loaded.plan,
                passes,
                incarnations=loaded.engine.incarnations,
                in_flight=settings.in_flight,
                share=step.share if shares_now else None,
                order=step.order,
            )
            drive(run, loaded.engine)
            result = step.result(run, shares_now, settings.combine)
        except (ClusterError, KeyboardInterrupt) as error:
            self._crew.failed(error)
            raise
        loaded.shared = self._version
        if options.keep_S:
            result.S = step.sums()
        return result

    def _stepped(self, what: str) -> Loaded:
        """Return the network of the last step, whose sums nobody has used."""
        self._require_open()
        if self._last is None:
            raise ArgumentError(
                f"{what} needs the sums of a step: run backward(...) to its end first, and again "
                f"after each update"
            )
        return self._last

    def _fetch_sums(self, loaded: Loaded) -> tuple[Any, Counts]:
        """Return S at the parameters in their structure, and what fetching it counts."""
        tied, on_network = loaded.tied, loaded.tied.graph.on_network
        keys = {node: key for node, key in tied.keys().items() if key < len(self._homes)}
        homes = sorted({self._homes[key] for node, key in keys.items() if on_network[node]})
        given = {p: (loaded.engine.run, self._settings.micro_batches) for p in homes}
        frames = [Frame(*frame) for frame in self._call("copy_sums", given).values()]
        found = {keys[u]: own(S) for frame in frames for u, S in frame.open()[1]}
        for node, key in keys.items():
            if key not in found:  # no path leads from it to an output
                known = tied.graph.nodes[node]
                found[key] = settle(np.zeros(known.shape, known.dtype))
        structured = self._loaded[self.graph].tied.structured(self._structure, found)
        return structured, called(frames)


def _add_called(result: StepResult, counts: Counts) -> None:
    """Count what went from or to the caller beside the passes."""
    result.ledger.caller_frames += counts.caller_frames
    result.ledger.caller_bytes += counts.caller_bytes


def session(
    graph: Graph,
    params: Any,
    *,
    argnums: int | tuple[int, ...] | None = 0,
    workers: int = 1,
    gpus: int = 0,
    schedule: str | Schedule | None = None,
    micro_batches: int = 1,
    combine: str = MEAN,
    chunks: int = 1,
    partitioner: str | Mapped | None = None,
    granularity: str = "partition",
    combiner: bool = False,
    in_flight: int | None = None,
) -> Session:
    """Make a session in this process, without Ray: as :meth:`Cluster.session`, with the same bits.

    Args:
        graph: the network of one copy.
        params: the arguments ``argnums`` of the trace.
        argnums: which those are.
        workers, gpus: how many, as :func:`plan` takes them.
        schedule, micro_batches, combine, chunks, partitioner, granularity, combiner, in_flight:
            see :meth:`Cluster.session`.

    Example:
        ``with bw.session(graph, params, micro_batches=4) as s: s.backward(x, y, grads=True).grads``

    """
    settings = Settings(
        workers=workers,
        gpus=gpus,
        schedule=schedule,
        micro_batches=micro_batches,
        combine=combine,
        chunks=chunks,
        partitioner=partitioner,
        granularity=granularity,
        combiner=combiner,
        in_flight=in_flight,
    )
    return Session(graph, params, argnums, settings, LocalCrew())
