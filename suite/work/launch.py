"""Training through Ray Train: in this process by default, on real workers when asked for."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from suite.errors import TrainingError, UsageError
from suite.places import Places
from suite.results.schema import Outcome
from suite.spec.run import RunSpec
from suite.train.storage.reporter import Calling, Progress, Reporter, Silent
from suite.work.execute import execute
from suite.work.preparation import Machine


def launch(
    spec: RunSpec,
    places: Places,
    reporter: Reporter | None = None,
    machine: Machine | None = None,
    group: str = "",
    address: str | None = None,
) -> Outcome:
    """Train ``spec`` through Ray Train's ``TorchTrainer``.

    Without workers it runs in this process and no Ray daemon starts. With ``machine.workers`` ≥ 1 that many processes
    of a Ray cluster (a local one, or that at ``address``) train together, gradients averaged.
    """
    machine = machine or Machine()
    if machine.workers == 0:
        return _fit(lambda _: execute(spec, places, reporter, machine, group), {}, machine)
    return _launch_workers(spec, places.absolute(), reporter or Silent(), machine, group, address)


def _fit(function: Callable[[dict[str, Any]], Any], config: dict[str, Any], machine: Machine) -> Any:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    logging.getLogger("ray.train").setLevel(logging.WARNING)
    scaling = ScalingConfig(num_workers=machine.workers, use_gpu=machine.device.startswith("cuda"))
    storage = config.get("storage")
    run = RunConfig(storage_path=storage) if storage else None
    trainer = TorchTrainer(function, train_loop_config=config, scaling_config=scaling, run_config=run)
    result: Any = trainer.fit()
    return result.return_value


def _launch_workers(
    spec: RunSpec, places: Places, reporter: Reporter, machine: Machine, group: str, address: str | None
) -> Outcome:
    import ray
    from ray.train import TrainingFailedError
    from ray.util.queue import Queue

    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
    started = connect(address, machine.workers)
    _require(machine)
    # Holds no CPU and stays outside a placement group that this process may run in (a trial of a sweep).
    queue = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": "DEFAULT"})
    listener = threading.Thread(target=_listen, args=(queue, reporter), daemon=True)
    listener.start()
    config = {"storage": str(places.local / "train")}
    try:
        outcome = _fit(lambda _: _work(spec, places, machine, group, queue), config, machine)
    except TrainingFailedError as error:
        raise TrainingError(f"the workers of {spec.method} on {spec.dataset} failed: {_first_line(error)}") from error
    finally:
        queue.put(None)
        listener.join(timeout=5)
        if started:
            ray.shutdown()
    if not isinstance(outcome, Outcome):
        raise TrainingError(f"the workers of {spec.method} on {spec.dataset} ended without a result; run it again.")
    return outcome


def connect(address: str | None, cpus: int) -> bool:
    """Join the Ray cluster at ``address`` or start a local one with room for ``cpus``; whether one was started here."""
    import ray

    if ray.is_initialized():
        return False
    try:
        if address:
            _knock(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            return False
        room = max(cpus + 1, os.cpu_count() or 1)
        ray.init(num_cpus=room, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, TimeoutError, OSError) as error:
        raise UsageError(f"no Ray cluster answers at '{address}'; start one or leave --address out.") from error
    return True


def _knock(address: str) -> None:
    """Try the port of a ``host:port`` address, which Ray itself would do for minutes; other forms are left to Ray."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=5).close()


def _require(machine: Machine) -> None:
    """One sentence at once, instead of waiting for resources that never come."""
    import ray

    there = ray.cluster_resources()
    if machine.device.startswith("cuda") and there.get("GPU", 0) < machine.workers:
        raise UsageError(
            f"{machine.workers} GPU workers were asked for, but the cluster has {there.get('GPU', 0):g} GPUs; "
            "ask for fewer workers or leave --gpu out."
        )
    if there.get("CPU", 0) < machine.workers:
        raise UsageError(
            f"{machine.workers} workers were asked for, but the cluster has {there.get('CPU', 0):g} CPUs; use fewer."
        )


def _work(spec: RunSpec, places: Places, machine: Machine, group: str, queue: Any) -> Outcome | None:
    """What every worker runs; only the leader's outcome travels, without what belongs to its process."""
    from suite.train.distributed import Workers

    leads = Workers.current().leads
    tell = Calling(lambda progress: queue.put(progress) or True)
    outcome = execute(spec, places, tell if leads else Silent(), machine, group)
    return replace(outcome, extra={"complete": outcome.extra.get("complete", False)}) if leads else None


def _listen(queue: Any, reporter: Reporter) -> None:
    while True:
        progress: Progress | None = queue.get()
        if progress is None:
            return
        reporter.report(progress)


def _first_line(error: Exception) -> str:
    text = str(error.__cause__ or error).strip()
    return text.splitlines()[-1] if text else type(error).__name__
