"""Three machines of a cluster on this one: nodes of ``ray start`` with a token, the dashboard on 127.0.0.1."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil

from tests.work.drivers import ROOT, TOY

RAY = str(Path(sys.executable).with_name("ray"))
SUITE = [sys.executable, "-c", "from suite.cli import main; main()"]
STORE = 150 * 2**20  # bytes
UP = 180.0  # seconds within which a node must be there, on a busy machine
PORTS = ("node-manager", "object-manager", "dashboard-agent-listen", "runtime-env-agent", "metrics-export")


def free_ports(count: int) -> list[int]:
    """So many ports that nothing listens on."""
    with ExitStack() as open_:
        sockets = [open_.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Machines:
    """A head without CPUs, which has the dashboard and takes jobs, and two workers of one CPU.

    Every node has ports and a folder of its own, as every machine has. Agents of one machine all want the same port: a
    job may then be handed to one that could not listen ("No available agent"). In a shared folder a node unpacks a
    job's working directory over that of another, which a driver may work in.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # paths of sockets must be short
        self.token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.token |= {"RAY_raylet_start_wait_time_s": f"{UP:.0f}"}
        store, dashboard, client = free_ports(3)
        self.address, self.http = f"127.0.0.1:{store}", f"http://127.0.0.1:{dashboard}"
        head = ["--head", f"--port={store}", f"--ray-client-server-port={client}", "--include-dashboard=true"]
        head += ["--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"]
        self.nodes: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        try:
            self._fill(head)
        except BaseException:
            self.end()
            raise

    def _fill(self, head: list[str]) -> None:
        self._start(head, cpus=0)
        for _ in range(2):
            self.add()

    def add(self) -> None:
        """One more worker."""
        self.workers.append(self._start([f"--address={self.address}"]))

    def lose(self) -> None:
        """A worker's machine goes without a word."""
        _kill(self.workers.pop())

    def ray(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command of Ray's, with the token unless ``environment`` says otherwise."""
        inside = {**os.environ, **self.token, **environment}
        return subprocess.run([RAY, *words], env=inside, cwd=ROOT, capture_output=True, text=True, timeout=300)

    def submit(self, out: Path, *words: str) -> str:
        """``ray job submit`` of a command of the suite with the code of this checkout; returns the job."""
        job = f"suite-{secrets.token_hex(4)}"
        inside = [f"SUITE_METHODS={TOY}", f"SUITE_OUTPUTS={out}", "OMP_NUM_THREADS=1"]
        given = ["--no-wait", "--address", self.http, "--working-dir", str(ROOT), "--submission-id", job, "--"]
        done = self.ray("job", "submit", *given, "env", *inside, *SUITE, *words, "--address", "auto")
        assert done.returncode == 0, done.stdout + done.stderr
        return job

    def start(self, out: Path, folder: Path, *words: str) -> subprocess.Popen[str]:
        """A driver outside of the cluster's jobs, in the working directory ``folder``."""
        folder.mkdir(exist_ok=True)
        inside = {"SUITE_METHODS": str(TOY), "SUITE_OUTPUTS": str(out), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        command = [*SUITE, *words, "--address", self.address]
        return subprocess.Popen(
            command, cwd=folder, env={**os.environ, **self.token, **inside}, stderr=subprocess.PIPE, text=True
        )

    def logs(self, job: str) -> str:
        """What a job printed."""
        return str(self.ask(f"/api/jobs/{job}/logs")["logs"])

    def status(self, job: str) -> str:
        """What Ray's dashboard says of a job: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""
        return str(self.ask(f"/api/jobs/{job}")["status"])

    def alive(self) -> int:
        """How many nodes live, the head among them; 0 while the dashboard does not answer yet."""
        try:
            found = self.ask("/nodes?view=summary")["data"]["summary"]
        except OSError:
            return 0
        return sum(node["raylet"]["state"] == "ALIVE" for node in found)

    def actors(self) -> dict[str, str]:
        """The actors that live, as the dashboard shows them: the name of each to its class."""
        found = self.ask("/logical/actors")["data"]["actors"].values()
        return {one["reprName"] or one["name"]: one["className"] for one in found if one["state"] != "DEAD"}

    def ask(self, path: str) -> Any:
        """What the dashboard answers."""
        asked = Request(self.http + path, headers={"Authorization": f"Bearer {self.token['RAY_AUTH_TOKEN']}"})
        with urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    def end(self) -> None:
        """All nodes go, and what they wrote."""
        for node in reversed(self.nodes):
            _kill(node)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, words: Sequence[str], cpus: int = 1) -> subprocess.Popen[bytes]:
        """A node that lives as long as the process returned; comes back when it has joined."""
        own = self.folder / str(len(self.nodes))
        own.mkdir()
        ports = [f"--{name}-port={port}" for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)]
        size = [f"--num-cpus={cpus}", f"--object-store-memory={STORE}", f"--temp-dir={own}"]
        command = [RAY, "start", *words, *size, *ports, "--disable-usage-stats", "--block"]
        log = own / "ray-start.log"
        with log.open("wb") as file:
            node = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **self.token}, stdout=file, stderr=file, start_new_session=True
            )
        self.nodes.append(node)
        until = time.monotonic() + UP
        while "Ray runtime started" not in log.read_text(encoding="utf-8"):
            assert node.poll() is None and time.monotonic() < until, log.read_text(encoding="utf-8")
            time.sleep(0.2)
        return node


def _kill(node: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a node's processes, as when its machine goes."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(node.pid)
        family = [*process.children(recursive=True), process]
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(family, timeout=30)
    node.wait()
