"""Workers on Ray: one actor a partition, started when a plan needs them, and kept for the next."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, overload
from weakref import WeakSet

import ray

from ..protocol.derivatives.gradient_network import hvp_network
from ..protocol.errors import ArgumentError, ClusterError
from ..protocol.graph.graph import Graph, require_graph
from ..protocol.pytree import flatten
from ..protocol.residents import PassOptions
from ..protocol.result import Result
from ..protocol.scalar.network import Network
from ..protocol.scalar.result import NetworkResult
from ..scheduler.make_plan import plan
from ..scheduler.partition import Mapped
from ..scheduler.plan import CPU, GPU, Plan
from ..scheduler.run import Passing
from ..scheduler.schedule import Schedule
from .execute import execute, new_run
from .hessian import curvature
from .ray_crew import RayCrew
from .ray_engine import Actor, RayEngine, wait
from .ray_join import gpus_each, start_or_join
from .session import Session
from .settings import Settings

KEPT_PLANS = 8
"""How many plans a cluster keeps, to go back to one: a gradient and its Hessian take turns."""


class Cluster:
    """Workers on Ray, as a context manager.

    Args:
        workers: how many workers a run has at granularity ``"partition"``.
        gpus: how many of a run's workers get a GPU. Where Ray has fewer GPUs than that, they are
            shared: two workers can have half of one each.
        address: of a running Ray cluster to join (``"auto"`` finds one on this machine); by
            default a local Ray is started, and stopped again at the end.
        max_actors: the most actors that a run may have; each is a process of some 85 MB.
        deadline: seconds that any one wait may take.

    Example:
        ``with bw.Cluster(workers=4) as cluster: result = cluster.backward(graph, *args)``

    Raises:
        ClusterError: Ray cannot be started or joined, or lacks the GPUs that are asked for.

    """

    def __init__(
        self,
        workers: int = 2,
        gpus: int = 0,
        address: str | None = None,
        *,
        max_actors: int = 64,
        deadline: float = 300.0,
    ) -> None:
        if workers < 1 or gpus < 0:
            raise ClusterError(f"workers={workers}, gpus={gpus}: give at least one worker")
        self.workers = workers
        self.gpus = gpus
        self.address = address
        self.max_actors = max_actors
        self.deadline = deadline
        self._open = False
        self._owns_ray = False
        self._pool: dict[str, list[Any]] = {CPU: [], GPU: []}
        self._restarts = 0
        self._cpus_each = 0.0
        self._gpus_each = 0.0
        self._plans: dict[tuple[Any, ...], Plan] = {}
        self._engine: RayEngine | None = None
        self._number = 0
        self._sessions: WeakSet[Session] = WeakSet()

    def __enter__(self) -> Cluster:
        """Start or join Ray."""
        try:
            self._owns_ray = start_or_join(self.address, self.workers)
            if self.gpus:
                self._gpus_each = gpus_each(self.gpus)
        except BaseException:
            self.close()
            raise
        self._open = True
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop the workers, and the Ray that was started here."""
        self.close()

    def close(self) -> None:
        """Stop the workers, and the Ray that was started here. May be called twice."""
        self._open = False
        self._discard()
        if self._owns_ray:
            self._owns_ray = False
            ray.shutdown()

    @overload
    def backward(self, graph: Graph, *args: Any, **options: Any) -> Result: ...
    @overload
    def backward(self, graph: Network, *args: Any, **options: Any) -> NetworkResult: ...
    def backward(
        self,
        graph: Any,
        *args: Any,
        S: Any = None,
        granularity: str = "partition",
        partitioner: str | Mapped | None = None,
        schedule: str | None = None,
        combiner: bool = False,
        check_finite: bool = False,
        record: bool = False,
    ) -> Any:
        """Run one pass of a network over the workers.

        Args:
            graph: the network; or a :class:`Network` of scalar nodes.
            *args: values of the shapes that it was traced with; of a :class:`Network` one array,
                the values of the nodes that nothing feeds, in node order.
            S: S at the output, as :func:`backwave.backward` takes it.
            granularity: one actor a ``"node"``, a ``"layer"``, or a ``"partition"``.
            partitioner: see :func:`backwave.plan`.
            schedule: see :func:`backwave.plan`.
            combiner: see :func:`backwave.plan`.
            check_finite: raise NonFiniteError at the first node where a NaN or infinity arises.
            record: keep each message's norm and thumbnail; see :func:`backwave.backward`.

        Returns:
            The value, the gradients, S at every node (fetched when asked for), the checked ledger,
            the timeline, the plan, and each worker's share.

        Raises:
            ClusterError: a worker died or did not answer in time, or there are too many.
            BackwaveError: as :func:`backwave.backward`, from whichever worker it arose on.

        """
        planned = self._planned(graph, granularity, partitioner, schedule, combiner)
        return self.run(planned, *args, S=S, check_finite=check_finite, record=record)

    def hvp(
        self,
        graph: Graph,
        *args: Any,
        granularity: str = "partition",
        schedule: str = "eager",
        check_finite: bool = False,
    ) -> Result:
        """Run a Hessian-vector product over the workers: one pass of the network of ⟨∇f, v⟩.

        Args:
            graph: the network of f.
            *args: values of the shapes that it was traced with, and then v: of the structure of
                the differentiated argument, a tuple with one each where there are several or
                ``argnums`` was a tuple.
            granularity: one actor a ``"node"``, a ``"layer"``, or a ``"partition"``.
            schedule: ``"eager"``, ``"wave"`` or ``"level"``.
            check_finite: raise NonFiniteError at the first node where a NaN or infinity arises.

        Returns:
            A result whose ``grads`` are the Hessian times v, in the structure of v, and whose
            ``value`` is ⟨∇f, v⟩; the ledger is that of its own network, ``result.plan.graph``.

        Raises:
            ArgumentError: v has another structure or shape than what is differentiated.
            IndependentOutputError: f is linear: its Hessian is 0, and there is nothing to send.

        """
        require_graph(graph)
        if len(args) != graph.arguments + 1:
            raise ArgumentError(
                f"the network takes {graph.arguments} arguments and then v, "
                f"and was given {len(args)} in all"
            )
        *values, v = args
        structure, signature = flatten(tuple(values)).structure, graph.signature
        given = signature.direction(structure, signature.directions(structure, v))
        planned = self._planned(hvp_network(graph), granularity, "levels", schedule)
        result: Result = self.run(planned, *values, given, check_finite=check_finite)
        return result

    def session(
        self,
        graph: Graph,
        params: Any,
        *,
        argnums: int | tuple[int, ...] | None = 0,
        schedule: str | Schedule | None = None,
        micro_batches: int = 1,
        combine: str = "mean",
        chunks: int = 1,
        partitioner: str | Mapped | None = None,
        granularity: str = "partition",
        combiner: bool = False,
        in_flight: int | None = None,
    ) -> Session:
        """Begin a session: parameters are sent once and stay, and steps send data only.

        Args:
            graph: the network of one copy.
            params: the arguments ``argnums`` of the trace, in which every differentiated leaf lies;
                a tuple of them where that is a tuple.
            argnums: which those are; None for all.
            schedule: ``"eager"`` (the default), ``"wave"``, ``"level"``, ``"gpipe"`` or ``"1f1b"``;
                see :func:`backwave.plan`.
            micro_batches: how many copies of the network make a pass in each step, with tied
                weights. S at a parameter is the sum over them, in copy order.
            combine: ``"mean"`` (S at each copy's output is 1/micro_batches, and the value the mean)
                or ``"sum"``.
            chunks: how many chunks of the network each worker has; 1 with the schedules there are.
            partitioner, granularity, combiner: see :func:`backwave.plan`.
            in_flight: how many passes may be open at once; by default as many as the schedule
                likes.

        Returns:
            The session, a context manager.

        Raises:
            ArgumentError: the parameters do not fit the graph.
            PlanError: the workers would need each other in a circle in a pipeline, or the schedule
                would never end; says where.
            ClusterError: a worker died or did not answer in time, or there are too many.

        Example:
            ``with cluster.session(graph, params, schedule="1f1b", micro_batches=8) as session:``

        """
        settings = Settings(
            workers=self.workers,
            gpus=self.gpus,
            schedule=schedule,
            micro_batches=micro_batches,
            combine=combine,
            chunks=chunks,
            partitioner=partitioner,
            granularity=granularity,
            combiner=combiner,
            in_flight=in_flight,
        )
        crew = RayCrew(self._hire, self._discard, lambda: self._restarts, self.deadline)
        session = Session(graph, params, argnums, settings, crew)
        self._sessions.add(session)
        return session

    def _hire(self, the_plan: Plan) -> list[Any]:
        """Return the actors for a plan, the same ones as before for the same devices."""
        self._require_possible(the_plan)
        return self._actors(the_plan.devices)

    def _planned(
        self,
        graph: Any,
        granularity: str,
        partitioner: str | Mapped | None,
        schedule: str | None,
        combiner: bool = False,
    ) -> Plan:
        """Return the plan for a network, the same one as before where nothing has changed."""
        if partitioner is not None and not isinstance(partitioner, str):
            # A mapping of the user's own may have changed since: it is followed anew.
            return plan(
                graph, self.workers, granularity, partitioner, schedule, self.gpus, combiner
            )
        key = graph, self.workers, granularity, partitioner, schedule, self.gpus, combiner
        if key not in self._plans:
            made = plan(*key)
            self._plans = dict([*self._plans.items(), (key, made)][-KEPT_PLANS:])
        return self._plans[key]

    def run(
        self,
        the_plan: Plan,
        *args: Any,
        S: Any = None,
        check_finite: bool = False,
        record: bool = False,
    ) -> Any:
        """Run one pass of a plan over the workers; those stay loaded for the next pass."""
        self._require_possible(the_plan)  # a mistake of the caller's costs no workers
        bound = the_plan.graph.bind(args, S)
        options = PassOptions(check_finite, record=record and the_plan.graph.can_record())
        hvp = partial(self.hvp, granularity=the_plan.granularity, schedule=the_plan.schedule.name)
        try:
            engine = self._load(the_plan)
            self._number += 1
            passing = Passing(self._number, bound, options)
            return execute(
                the_plan,
                engine,
                passing,
                args=args,
                curvature=lambda: curvature(the_plan.graph, args, hvp),
            )
        except (ClusterError, KeyboardInterrupt):
            self._discard()  # dead or still busy: the next run starts new ones
            raise

    def _discard(self) -> None:
        """Stop all workers; those that are started next are other incarnations of them."""
        for actors in self._pool.values():
            while actors:
                ray.kill(actors.pop())
        self._restarts += 1
        self._engine = None

    def require_room(self, the_plan: Plan) -> None:
        """Raise ClusterError if a plan needs more actors than are allowed."""
        if the_plan.partitions > self.max_actors:
            raise ClusterError(
                f"granularity {the_plan.granularity!r} needs {the_plan.partitions} Ray actors, "
                f"one process each, and at most {self.max_actors} are allowed; "
                f"raise --max-actors (max_actors=), or use granularity 'partition'"
            )

    def _require_possible(self, the_plan: Plan) -> None:
        if not self._open:
            raise ClusterError(
                "the cluster is closed; use it inside `with bw.Cluster() as cluster:`"
            )
        self.require_room(the_plan)
        on_gpus = the_plan.devices.count(GPU)
        if on_gpus > self.gpus:
            raise ClusterError(
                f"the plan puts {on_gpus} partitions on GPUs, and this cluster was made with "
                f"gpus={self.gpus}; make it with Cluster(gpus={on_gpus})"
            )

    def _load(self, the_plan: Plan) -> RayEngine:
        if self._engine is not None and self._engine.plan is the_plan:
            return self._engine
        self._engine = None
        actors = self._actors(the_plan.devices)
        incarnations = (self._restarts,) * the_plan.partitions
        engine = RayEngine(the_plan, actors, new_run(), incarnations, self.deadline)
        self._number = 0
        engine.load()
        self._engine = engine
        return engine

    def _actors(self, devices: Sequence[str]) -> list[Any]:
        """Return an actor for each device, new ones where the pool has too few."""
        joined = self.address is not None
        if joined:
            # In a cluster that others use, each worker reserves a CPU, or a fair share of all.
            total = float(ray.cluster_resources().get("CPU", 1))
            each = min(1.0, int(total / len(devices) * 1e4) / 1e4)
            if each != self._cpus_each and not any(s.is_open for s in self._sessions):
                self._discard()
                self._cpus_each = each
        remote = ray.remote(Actor)
        for kind in (CPU, GPU):
            for _ in range(devices.count(kind) - len(self._pool[kind])):
                options: dict[str, Any] = {
                    "num_cpus": self._cpus_each,
                    "scheduling_strategy": "SPREAD",
                }
                if kind == GPU:
                    options["num_gpus"] = self._gpus_each
                self._pool[kind].append(remote.options(**options).remote(kind))
        rest = {kind: iter(actors) for kind, actors in self._pool.items()}
        chosen = [next(rest[kind]) for kind in devices]
        waiting = [f"worker {i} on a {kind} to start" for i, kind in enumerate(devices)]
        wait([actor.ready.remote() for actor in chosen], self.deadline, waiting)
        return chosen
