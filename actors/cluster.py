"""Workers on Ray: one actor a partition, frames from actor to actor by reference."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, overload

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from ..protocol import graph_file
from ..protocol.errors import ArgumentError, BackwaveError, ClusterError
from ..protocol.gradient_network import direction, directions, hvp_network
from ..protocol.graph import Graph, require_graph
from ..protocol.message import Frame
from ..protocol.network import Network
from ..protocol.pytree import flatten
from ..protocol.sources import sources
from ..scheduler.partition import Mapped
from ..scheduler.plan import CPU, GPU, Plan, Stage, plan
from .execute import PlannedResult, execute, new_run
from .execute_network import PlannedNetworkResult, execute_network
from .worker import Worker, assignments

KEPT_PLANS = 8
"""How many plans a cluster keeps, to go back to one: a gradient and its Hessian take turns."""

JOIN_SECONDS = 15.0
"""How long a cluster that is joined may take to answer."""


class _Actor(Worker):
    """A worker, as Ray calls it: a single return value is not wrapped in a tuple."""

    def fire(self, *args: Any) -> Any:
        results = super().fire(*args)
        return results if len(results) > 1 else results[0]


class RayEngine:
    """Fires stages on actors; a handle is an object reference.

    The driver never holds a payload: it passes on the references to frames that workers made.
    """

    def __init__(self, actors: Sequence[Any], deadline: float) -> None:
        self._actors = actors
        self._deadline = deadline

    def load(self, the_plan: Plan, run: str) -> None:
        """Give every worker its partition."""
        graph = the_plan.graph
        if isinstance(graph, Network):
            given = assignments(the_plan, run)
            # Each worker gets its own piece, and reads it where the object store has it.
            parts: list[Any] = [ray.put(piece) for piece in the_plan.pieces]
        else:
            given = assignments(the_plan, run, sources(graph))
            parts = [ray.put(graph_file.to_bytes(graph))] * len(given)
        loads = [
            actor.load.remote(part, assignment)
            for actor, part, assignment in zip(self._actors, parts, given, strict=True)
        ]
        wait(loads, self._deadline, [f"worker {i} to load" for i in range(len(loads))])

    def give(self, frame: Frame) -> Any:
        """Put a frame from the caller into the object store, once."""
        return ray.put(frame)

    def fire(
        self, stage: Stage, number: int, check_finite: bool, frames: Sequence[Any]
    ) -> tuple[Any, Sequence[Any]]:
        """Submit a stage: one actor call."""
        method = self._actors[stage.partition].fire.options(num_returns=1 + len(stage.sends))
        references = method.remote(stage.number, number, check_finite, *frames)
        if not stage.sends:
            return references, ()
        return references[0], references[1:]

    def take(self, stages: Sequence[Stage], handles: Sequence[Any]) -> list[Any]:
        """Wait for what these stages return."""
        return wait(
            handles,
            self._deadline,
            [
                f"stage {s.number} ({s.name}, round {s.round}) of worker {s.partition}"
                for s in stages
            ],
        )

    def sums(self, worker: int, number: int, nodes: Sequence[int]) -> Frame:
        """Fetch S at nodes of a worker."""
        call = self._actors[worker].sums.remote(number, list(nodes))
        frame: Frame = wait([call], self._deadline, [f"S from worker {worker}"])[0]
        return frame


def wait(references: Sequence[Any], deadline: float, names: Sequence[str]) -> list[Any]:
    """Return what the references stand for; an error says what was waited for.

    Raises:
        ClusterError: the deadline has passed, a worker has died, or Ray itself failed.
        BackwaveError: the error that a worker raised, as it raised it.

    """
    try:
        values: list[Any] = ray.get(list(references), timeout=deadline)
        return values
    except GetTimeoutError:
        _, pending = ray.wait(list(references), num_returns=len(references), timeout=0)
        late = [name for ref, name in zip(references, names, strict=True) if ref in pending]
        raise ClusterError(
            f"waited {deadline:g} s for {late[0]}"
            + (f" and {len(late) - 1} more" if len(late) > 1 else "")
            + "; see `ray status`, or raise the deadline"
        ) from None
    except RayTaskError as error:
        if isinstance(error.cause, BackwaveError):
            raise error.cause from None
        raise ClusterError(f"a worker failed: {error.cause!r}\n{error}") from error
    except RayActorError as error:
        raise ClusterError(
            f"a worker died while the run waited for {_first_failed(references, names)}: {error}"
        ) from None
    except RayError as error:  # an object was lost, or memory has run out
        raise ClusterError(
            f"Ray failed while the run waited for {_first_failed(references, names)}: {error}"
        ) from error


def _first_failed(references: Sequence[Any], names: Sequence[str]) -> str:
    for reference, name in zip(references, names, strict=True):
        try:
            ray.get(reference, timeout=1)
        except RayError:
            return name
    return names[0]


_ADDRESS = "give the address that `ray start --head` prints, host:6379"


def _require_ray_at(address: str) -> None:
    """Raise unless a Ray cluster answers: ``ray.init`` would wait for minutes, and print."""
    if address == "auto" or "://" in address:
        return  # these fail at once
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), JOIN_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:  # nobody is there: no need to wait
        why = error if isinstance(error, OSError) else "it is no host and port"
        raise ClusterError(
            f"no Ray cluster could be joined at {address!r}: {why}; {_ADDRESS}"
        ) from None
    check = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        answered = subprocess.run(check, capture_output=True, timeout=JOIN_SECONDS, check=False)
        healthy = answered.returncode == 0
    except subprocess.TimeoutExpired:
        healthy = False
    if not healthy:
        raise ClusterError(
            f"no Ray cluster could be joined at {address!r}: none answered within "
            f"{JOIN_SECONDS:g} s; {_ADDRESS}"
        )


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
        self._cpus_each = 0.0
        self._gpus_each = 0.0
        self._plans: dict[tuple[Any, ...], Plan] = {}
        self._loaded: Plan | None = None
        self._engine: RayEngine | None = None
        self._run = ""
        self._number = 0

    def __enter__(self) -> Cluster:
        """Start or join Ray."""
        try:
            self._connect()
            self._require_gpus()
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
    def backward(self, graph: Graph, *args: Any, **options: Any) -> PlannedResult: ...
    @overload
    def backward(self, graph: Network, *args: Any, **options: Any) -> PlannedNetworkResult: ...
    def backward(
        self,
        graph: Graph | Network,
        *args: Any,
        granularity: str = "partition",
        partitioner: str | Mapped | None = None,
        policy: str | None = None,
        combiner: bool = False,
        check_finite: bool = False,
    ) -> PlannedResult | PlannedNetworkResult:
        """Run one pass of a network over the workers.

        Args:
            graph: the network; or a :class:`Network` of scalar nodes.
            *args: values of the shapes that it was traced with; of a :class:`Network` one array,
                the values of the nodes that nothing feeds, in node order.
            granularity: one actor a ``"node"``, a ``"layer"``, or a ``"partition"``.
            partitioner: see :func:`backwave.plan`.
            policy: ``"eager"``, ``"wave"`` or ``"level"``; see :func:`backwave.plan`.
            combiner: see :func:`backwave.plan`.
            check_finite: raise NonFiniteError at the first node where a NaN or infinity arises.

        Returns:
            The value, the gradients, S at every node (fetched when asked for), the checked ledger,
            the timeline, the plan, and each worker's share.

        Raises:
            ClusterError: a worker died or did not answer in time, or there are too many.
            BackwaveError: as :func:`backwave.backward`, from whichever worker it arose on.

        """
        planned = self._planned(graph, granularity, partitioner, policy, combiner)
        return self.run(planned, *args, check_finite=check_finite)

    def hvp(
        self,
        graph: Graph,
        *args: Any,
        granularity: str = "partition",
        policy: str = "eager",
        check_finite: bool = False,
    ) -> PlannedResult:
        """Run a Hessian-vector product over the workers: one pass of the network of ⟨∇f, v⟩.

        Args:
            graph: the network of f.
            *args: values of the shapes that it was traced with, and then v: of the structure of
                the differentiated argument, a tuple with one each where there are several or
                ``argnums`` was a tuple.
            granularity: one actor a ``"node"``, a ``"layer"``, or a ``"partition"``.
            policy: ``"eager"``, ``"wave"`` or ``"level"``.
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
        structure = flatten(tuple(values)).structure
        given = direction(graph, structure, directions(graph, structure, v))
        planned = self._planned(hvp_network(graph), granularity, "levels", policy)
        result = self.run(planned, *values, given, check_finite=check_finite)
        assert isinstance(result, PlannedResult)
        return result

    def _planned(
        self,
        graph: Graph | Network,
        granularity: str,
        partitioner: str | Mapped | None,
        policy: str | None,
        combiner: bool = False,
    ) -> Plan:
        """Return the plan for a network, the same one as before where nothing has changed."""
        if partitioner is not None and not isinstance(partitioner, str):
            # A mapping of the user's own may have changed since: it is followed anew.
            return plan(graph, self.workers, granularity, partitioner, policy, self.gpus, combiner)
        key = graph, self.workers, granularity, partitioner, policy, self.gpus, combiner
        if key not in self._plans:
            made = plan(*key)
            self._plans = dict([*self._plans.items(), (key, made)][-KEPT_PLANS:])
        return self._plans[key]

    def run(
        self, the_plan: Plan, *args: Any, check_finite: bool = False
    ) -> PlannedResult | PlannedNetworkResult:
        """Run one pass of a plan over the workers; those stay loaded for the next pass."""
        self._require_possible(the_plan)  # a mistake of the caller's costs no workers
        try:
            engine = self._load(the_plan)
            self._number += 1
            if isinstance(the_plan.graph, Network):
                return execute_network(
                    the_plan,
                    engine,
                    args,
                    run=self._run,
                    number=self._number,
                    check_finite=check_finite,
                )
            return execute(
                the_plan,
                engine,
                args,
                run=self._run,
                number=self._number,
                check_finite=check_finite,
                hvp=partial(
                    self.hvp, granularity=the_plan.granularity, policy=the_plan.policy.name
                ),
            )
        except (ClusterError, KeyboardInterrupt):
            self._discard()  # dead or still busy: the next run starts new ones
            raise

    def _discard(self) -> None:
        """Stop all workers."""
        for actors in self._pool.values():
            while actors:
                ray.kill(actors.pop())
        self._loaded = self._engine = None

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
        if self._engine is not None and self._loaded is the_plan:
            return self._engine
        self._engine = self._loaded = None
        engine = RayEngine(self._actors(the_plan.devices), self.deadline)
        self._run, self._number = new_run(), 0
        engine.load(the_plan, self._run)
        self._engine, self._loaded = engine, the_plan
        return engine

    def _connect(self) -> None:
        if ray.is_initialized():
            return
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self.address is not None:
            _require_ray_at(self.address)
            try:
                ray.init(address=self.address, **quiet)
            except (ConnectionError, ValueError, RuntimeError, RayError) as error:
                reason = str(error).strip().splitlines()[0]
                raise ClusterError(
                    f"no Ray cluster could be joined at {self.address!r}: {reason}"
                ) from error
        else:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            self._owns_ray = True
            try:
                ray.init(num_cpus=self.workers, include_dashboard=False, **quiet)
            except Exception as error:  # Ray raises many kinds, some of them plain Exception
                reason = str(error).strip().splitlines()[0]
                raise ClusterError(f"a local Ray could not be started: {reason}") from error
            return
        self._owns_ray = True  # the connection, which is all that shutdown ends here

    def _require_gpus(self) -> None:
        if not self.gpus:
            return
        found = float(ray.cluster_resources().get("GPU", 0))
        nodes = sum(bool(node["Alive"]) for node in ray.nodes())
        if not found:
            raise ClusterError(
                f"{self.gpus} workers on GPUs were asked for, and Ray found 0 GPUs on {nodes} "
                f"machine{'s' * (nodes != 1)}; run without --gpus, or join a cluster that has GPUs "
                f"with --address"
            )
        self._gpus_each = min(1.0, int(found / self.gpus * 1e4) / 1e4)

    def _actors(self, devices: Sequence[str]) -> list[Any]:
        """Return an actor for each device, new ones where the pool has too few."""
        joined = self.address is not None
        if joined:
            # In a cluster that others use, each worker reserves a CPU, or a fair share of all.
            total = float(ray.cluster_resources().get("CPU", 1))
            each = min(1.0, int(total / len(devices) * 1e4) / 1e4)
            if each != self._cpus_each:
                self._discard()
                self._cpus_each = each
        remote = ray.remote(_Actor)
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
