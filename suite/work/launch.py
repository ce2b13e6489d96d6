"""Training through Ray Train: in this process by default, on real workers when asked for."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from suite.errors import TrainingError, UsageError
from suite.models.kept import NAME
from suite.places import Places
from suite.results.schema import Outcome
from suite.spec.run import RunSpec
from suite.train.storage.reporter import Calling, Doing, Progress, Reporter, Silent
from suite.work.aside import Aside
from suite.work.cluster import answer, connected, cores
from suite.work.environment import environment
from suite.work.execute import execute
from suite.work.machine import Machine

LOOK_EVERY = 0.2  # seconds between looks at what the workers report
GRACE = 30.0  # seconds after Ctrl-C for the workers to stop at the end of their epoch


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
        return _fit(lambda _: execute(spec, places, reporter, machine, group), machine)
    needed = machine.workers * max(1, machine.threads)
    if address is None and needed > cores():
        raise UsageError(
            f"{machine.workers} workers of {max(1, machine.threads)} thread(s) need {needed} cores and this machine "
            f"has {cores()}; ask for fewer, or name a cluster with --address."
        )
    with connected(address, needed + 1):
        _require(machine)
        return _launch_workers(spec, places.absolute(), reporter or Silent(), machine, group)


def _fit(function: Callable[[dict[str, Any]], Any], machine: Machine, storage: str | None = None) -> Any:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    logging.getLogger("ray.train").setLevel(logging.WARNING)
    on_gpu = machine.device.startswith("cuda")
    held = {"CPU": float(max(1, machine.threads)), **({"GPU": 1.0} if on_gpu else {})}
    scaling = ScalingConfig(
        num_workers=machine.workers, use_gpu=on_gpu, resources_per_worker=held if machine.workers else None
    )
    run = RunConfig(storage_path=storage) if storage else None
    trainer = TorchTrainer(function, train_loop_config={}, scaling_config=scaling, run_config=run)
    result: Any = trainer.fit()
    return result.return_value


def _launch_workers(spec: RunSpec, places: Places, reporter: Reporter, machine: Machine, group: str) -> Outcome:
    """Train in a thread, while this one passes on what the workers report, and back whether they should go on."""
    import ray

    # Ray Train looks for reports and the end every two seconds by default, longer than a small run lasts.
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
    # Holds no CPU and stays outside a placement group that this process may run in (a worker of a pool).
    actor: Any = ray.remote(_Mailbox).options(num_cpus=0, scheduling_strategy="DEFAULT")
    mailbox, inherited = actor.remote(), environment()
    storage = str(places.local / "train")
    # Ray Train would keep Ctrl-C to itself in the main thread.
    fitting = Aside(lambda: _fit(lambda _: _work(spec, places, machine, group, mailbox, inherited), machine, storage))
    fitting.start()
    try:
        while not fitting.over.is_set():
            _pass_on(mailbox, reporter)
            fitting.over.wait(LOOK_EVERY)
        _pass_on(mailbox, reporter)
    except KeyboardInterrupt:
        mailbox.stop.remote()
        fitting.over.wait(GRACE)
        raise
    finally:
        ray.kill(mailbox)
    return _outcome(fitting, f"the workers of {spec.method} on {spec.dataset}")


class _Mailbox:
    """Carries progress from the leading worker to the driver, and back whether to go on."""

    def __init__(self) -> None:
        self.waiting: list[Progress | Doing] = []
        self.going = True

    def __repr__(self) -> str:  # what Ray's dashboard shows
        return "suite: progress of a run on several workers"

    def post(self, message: Progress | Doing) -> bool:
        """Leave ``message`` for the driver; whether to go on."""
        self.waiting.append(message)
        return self.going

    def collect(self) -> list[Progress | Doing]:
        """The messages since the last call."""
        found, self.waiting = self.waiting, []
        return found

    def stop(self) -> None:
        """From now on, not to go on."""
        self.going = False


def _pass_on(mailbox: Any, reporter: Reporter) -> None:
    for message in answer(mailbox.collect.remote()):
        if isinstance(message, Doing):
            reporter.tell(message)
        elif not reporter.report(message):
            mailbox.stop.remote()


def _outcome(fitted: Aside, who: str) -> Outcome:
    """What the workers returned; raises :class:`TrainingError` where they failed."""
    if fitted.error is not None:
        raise TrainingError(f"{who} failed: {_first_line(fitted.error)}") from fitted.error
    if not isinstance(fitted.result, Outcome):
        raise TrainingError(f"{who} ended without a result; run it again.")
    return fitted.result


def _require(machine: Machine) -> None:
    """One sentence at once, instead of waiting for resources that never come."""
    import ray

    # Ray itself waits without end for resources that a cluster lacks, since it may grow.
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


def _work(
    spec: RunSpec, places: Places, machine: Machine, group: str, mailbox: Any, inherited: dict[str, str]
) -> Outcome | None:
    """What every worker runs; only the leader's outcome travels, without what belongs to its process."""
    import ray

    from suite.train.distributed import Workers

    os.environ.update(inherited)
    leads = Workers.current().leads
    post = mailbox.post.remote
    reporter = Calling(lambda progress: ray.get(post(progress)), post)
    outcome = execute(spec, places, reporter if leads else Silent(), machine, group)
    travels = {name: outcome.extra[name] for name in ("complete", NAME) if name in outcome.extra}
    return replace(outcome, extra={"complete": False, **travels}) if leads else None


def _first_line(error: BaseException) -> str:
    text = str(error.__cause__ or error).strip()
    return text.splitlines()[-1] if text else type(error).__name__
