"""Reaching Ray: a cluster of this process's own on this machine, or one that somebody keeps.

A cluster of its own listens on 127.0.0.1 only, admits those alone who know its token, and ignores whatever other Ray
the machine or the environment knows of. Ray reads these settings when it is first imported: import it through here.
"""

from __future__ import annotations

import getpass
import logging
import os
import secrets
import shlex
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from psutil import NoSuchProcess, Process, wait_procs

from suite.errors import SuiteError, UsageError, pass_on_interruption

ANSWER = 120.0  # seconds within which an actor must answer
START = 300.0  # the same while it starts, which on a busy machine is minutes
CONNECT = 5.0  # seconds within which a port must answer
STARTS = 3  # times that Ray may try to start here
PROBE_EVERY = 5.0  # seconds between looks at the cluster's control store
TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


class ClusterLostError(SuiteError):
    """Ray died under the work: a node, its control store or an actor that all depends on."""


@contextmanager
def connected(address: str | None, cpus: float = 0) -> Iterator[None]:
    """Inside, this process is connected to the cluster at ``address``, or to one of its own with room for ``cpus``.

    A process that is connected already stays as it is. Raises :class:`UsageError` where nothing answers at ``address``,
    and :class:`SuiteError` where none can be started here.
    """
    _before_import(local=address is None)
    import ray

    if ray.is_initialized():
        yield
        return
    others = _children()
    try:
        try:
            with _own_sigterm():
                _connect(address, cpus)
            _be_quiet()
        finally:
            started = _children() - others
        yield
    finally:
        _leave(started)


def answer(reference: Any, seconds: float = ANSWER) -> Any:
    """What a call to an actor returns; raises :class:`ClusterLostError` when the actor is dead or does not answer."""
    import ray
    from ray.exceptions import GetTimeoutError, RayActorError, RaySystemError, RayTaskError

    try:
        return ray.get(reference, timeout=seconds)
    except (RayActorError, RaySystemError, GetTimeoutError) as error:
        raise ClusterLostError("Ray died or stopped answering") from error
    except RayTaskError as error:  # its own words hold the remote stack
        if isinstance(error.cause, SuiteError):
            raise error.cause from None
        raise


def token_hint(address: str | None) -> str:
    """The end of a sentence about a cluster that takes no work, where this machine's token may be the reason."""
    if address is None or os.environ.get("RAY_AUTH_MODE") != "token":
        return ""
    return "; this machine has a Ray token: if the cluster has none or another, set RAY_AUTH_MODE=disabled or the token"


class Probe:
    """Looks now and then whether the cluster's control store is alive; without it Ray itself would wait a minute."""

    def __init__(self) -> None:
        import ray

        self.address = ray.get_runtime_context().gcs_address
        self.looked = time.monotonic()

    def check(self) -> None:
        """Raises :class:`ClusterLostError` when nothing answers at its port."""
        if time.monotonic() - self.looked > PROBE_EVERY:
            if not _answers(self.address):
                raise ClusterLostError(f"Ray's control store at {self.address} is gone")
            self.looked = time.monotonic()


def _before_import(local: bool) -> None:
    """Settings that Ray reads once: no connection behind our back, loopback only, a token."""
    if "ray" in sys.modules:
        return
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    if local:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # on any system: this machine alone, on 127.0.0.1
        os.environ["RAY_AUTH_MODE"] = "token"
        if not any(name in os.environ for name in TOKENS):
            os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    elif any(name in os.environ for name in TOKENS) or (Path.home() / ".ray" / "auth_token").exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # the token that `ray start` left here


def _connect(address: str | None, cpus: float) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL, "namespace": _namespace()}
    if address is None:
        quiet |= {"num_cpus": max(round(cpus), cores()), "include_dashboard": False, "runtime_env": _interpreter()}
        _start(lambda: ray.init(address="local", **quiet))
        return
    try:
        # Ray tries for a long time to reach a dead address; a closed port is known at once.
        if not _answers(address):
            raise ConnectionError(address)
        ray.init(address=address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"no Ray cluster answers at '{address}'; start one or leave --address out.") from error


def _start(begin: Callable[[], Any]) -> None:
    """Start Ray here, again where the machine was too busy for its half a minute."""
    import ray

    for left in reversed(range(STARTS)):
        try:
            begin()
            return
        except Exception as error:  # Ray has no kind of its own for it
            pass_on_interruption(error)
            ray.shutdown()
            if not left or "timed out during startup" not in str(error):
                said = " ".join(str(error).split())[:200].rstrip(".")
                raise SuiteError(
                    f"Ray could not start on this machine ({said}); the same command tries again, with --jobs 1 "
                    "without it."
                ) from error


def cores() -> int:
    """How many CPUs this process may use; batch systems and containers give it fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _namespace() -> str:
    """One for each driver: what it names or kills is its own, whoever else works on the cluster."""
    return f"suite-{_user()}-{uuid.uuid4().hex[:8]}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return str(os.getuid())


def _interpreter() -> dict[str, str]:
    """How workers start Python, where Ray would not find it: it puts the path into a shell command without quotes."""
    quoted = shlex.quote(sys.executable)
    return {} if quoted == sys.executable else {"py_executable": quoted}


def _be_quiet() -> None:
    """Ray prints the end of a dead node's log, whatever the level of logging; the suite reports it in one sentence."""
    import ray._private.worker as inside

    inside.print_to_stdstream = lambda *words, **more: None


def _answers(address: str) -> bool:
    """Whether something listens at a ``host:port`` address; what has another form is left to Ray."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdigit():
        return True
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT).close()
    except OSError:
        return False
    return True


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this process's handler of SIGTERM, which Ray replaces when it connects."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    if callable(handler) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _children() -> set[Process]:
    return set(Process().children())


def _leave(started: Iterable[Process]) -> None:
    """Disconnect; no process stays of a cluster that was ``started`` here, even where Ray cannot end them itself."""
    import ray

    # Listed while their parents live: children of a process that ended belong to another and are not found any more.
    family = [*started]
    for process in started:
        with suppress(NoSuchProcess):
            family += process.children(recursive=True)
    ray.shutdown()
    _, left = wait_procs(family, timeout=CONNECT)
    for process in left:
        process.kill()
