"""Starting a Ray of one's own, or joining one that runs."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from typing import Any

import ray
from ray.exceptions import RayError

from ..protocol.errors import ClusterError

JOIN_SECONDS = 15.0
"""How long a cluster that is joined may take to answer."""

_ADDRESS = "give the address that `ray start --head` prints, host:6379"
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


def start_or_join(address: str | None, cpus: int) -> bool:
    """Start a local Ray with so many CPUs, or join the one at an address.

    Returns:
        Whether it is ours to shut down: a Ray that this process had before is not.

    Raises:
        ClusterError: it cannot be started or joined; says why.

    """
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        if address is None:
            _start(cpus)
        else:
            _join(address)
    except BaseException:
        ray.shutdown()
        raise
    return True


def _start(cpus: int) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(num_cpus=cpus, include_dashboard=False, **_QUIET)
    except Exception as error:  # Ray raises many kinds, some of them plain Exception
        raise ClusterError(f"a local Ray could not be started: {_first_line(error)}") from error


def _join(address: str) -> None:
    _require_ray_at(address)
    try:
        ray.init(address=address, **_QUIET)
    except (ConnectionError, ValueError, RuntimeError, RayError) as error:
        raise ClusterError(
            f"no Ray cluster could be joined at {address!r}: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


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


def gpus_each(workers: int) -> float:
    """Return how much of a GPU each of so many workers gets.

    Raises:
        ClusterError: Ray has none.

    """
    found = float(ray.cluster_resources().get("GPU", 0))
    if not found:
        nodes = sum(bool(node["Alive"]) for node in ray.nodes())
        raise ClusterError(
            f"{workers} workers on GPUs were asked for, and Ray found 0 GPUs on {nodes} "
            f"machine{'s' * (nodes != 1)}; run without --gpus, or join a cluster that has GPUs "
            f"with --address"
        )
    return min(1.0, int(found / workers * 1e4) / 1e4)
