"""The process's one connection to Ray, and how many actors a cluster has room for."""

import logging
import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import ray

from personas.errors import MachineError
from runner.study.sections import RaySection

OBJECT_STORE = 80_000_000  # bytes; blocks of prompts are small and go straight to the actors
REACH_SECONDS = 10.0
_lock = threading.Lock()


@dataclass
class _Connection:
    """How many models use the connection, and where a Ray that was started for them keeps its files."""

    users: int = 0
    folder: tempfile.TemporaryDirectory[str] | None = None
    was_there: bool = False


_connection = _Connection()


def connect(address: str | None) -> None:
    """Connect to the cluster at an address, or start a Ray on this machine; blocks. To be paired with `disconnect`.

    A connection that the process has already, a notebook's say, is used and left as it is. Raises MachineError.
    """
    with _lock:
        if _connection.users == 0:
            _connection.was_there = ray.is_initialized()
            if not _connection.was_there:
                _begin(address)
        _connection.users += 1


def disconnect() -> None:
    """Let go of the connection; the last one to do so ends what `connect` began. Blocks."""
    with _lock:
        _connection.users -= 1
        if _connection.users == 0 and not _connection.was_there:
            _end()


def users() -> int:
    """How many models share the connection."""
    return _connection.users


def _begin(address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"configure_logging": False, "logging_level": logging.ERROR, "log_to_driver": False}
    logging.getLogger("ray").setLevel(logging.ERROR)
    if address is None:
        _begin_here(quiet)
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), REACH_SECONDS).close()  # Ray itself would try for minutes
        ray.init(address, **quiet)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise MachineError(
            f"no Ray cluster can be used at {address} ({first_line(error)}): start one with 'ray start --head', "
            "or leave the address out"
        ) from None


def _begin_here(quiet: Mapping[str, Any]) -> None:
    """Start a Ray on this machine's loopback, whose files go when it does."""
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex())  # else Ray leaves one in the home directory
    _connection.folder = tempfile.TemporaryDirectory(prefix="mtpa-ray-", ignore_cleanup_errors=True)
    here: dict[str, Any] = {"include_dashboard": False, "object_store_memory": OBJECT_STORE}
    here |= {"_temp_dir": _connection.folder.name, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init("local", **here, **quiet)
    except Exception as error:
        _end()
        raise MachineError(f"Ray does not start on this machine: {first_line(error)}") from None


def _end() -> None:
    ray.shutdown()
    if _connection.folder is not None:
        _connection.folder.cleanup()
        _connection.folder = None


def first_line(error: Exception) -> str:
    """What an error says, without the traceback that Ray adds."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0]


class Room(NamedTuple):
    """What an actor takes, and how many a cluster can hold; `nodes` are those alive."""

    cpus: float
    gpus: float
    actors: int
    nodes: frozenset[str]


def room(nodes: Iterable[Mapping[str, Any]], wanted: RaySection) -> Room:
    """The room on nodes as `ray.nodes()` lists them.

    Where nothing is said, an actor takes a GPU if any node has one; else four processors, or all of the largest node.
    """
    alive = [node for node in nodes if node["Alive"]]
    kinds = [node["Resources"] for node in alive]
    gpus = wanted.gpus_per_actor
    if gpus is None:
        gpus = 1 if any(each.get("GPU", 0) >= 1 for each in kinds) else 0
    largest = max((each.get("CPU", 0.0) for each in kinds), default=0.0)
    cpus = wanted.cpus_per_actor or (1 if gpus else max(1, min(4, int(largest))))
    counts = [min(each.get("CPU", 0) // cpus, each.get("GPU", 0) // gpus if gpus else float("inf")) for each in kinds]
    return Room(cpus, gpus, int(sum(counts)), frozenset(node["NodeID"] for node in alive))
