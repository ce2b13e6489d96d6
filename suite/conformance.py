"""What the suite expects of a method, tried one by one on a planted world and reported in plain words."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from suite.data import load
from suite.errors import SuiteError, UsageError
from suite.method import Method
from suite.registry import method as find_method
from suite.tasks import task, tasks
from suite.tasks.data import TaskData
from suite.train.loop import train
from suite.train.storage.reporter import Calling
from suite.train.training import Settings, Trained, Training


@dataclass(frozen=True)
class Expectation:
    """One expectation: its name, whether it holds, and what was seen."""

    check: str
    holds: bool
    said: str


@dataclass(frozen=True)
class Examined:
    """The method under examination, with the data and the number of epochs to examine it with."""

    method: type[Method]
    params: Mapping[str, Any]
    data: TaskData[Any]
    epochs: int

    def training(self, settings: Settings | None = None) -> Training:
        """A new training of the method."""
        chosen = settings or Settings(epochs=self.epochs)
        return Training(self.method(**self.params), self.data, task(self.method.task), chosen)

    @cached_property
    def whole(self) -> Trained:
        """An undisturbed training, to compare others with."""
        return train(self.training())

    @cached_property
    def untrained(self) -> Trained:
        """The same network before its first step, evaluated."""
        training = self.training()
        training.phases = []
        return train(training)


def examine(
    name: str, dataset: str = "", params: Mapping[str, Any] | None = None, epochs: int = 3, cache: Path | None = None
) -> Iterator[Expectation]:
    """Try every expectation on the method called ``name``; later checks are left out when the first ones fail."""
    chosen = find_method(name)
    yield from _declarations(chosen)
    if chosen.task not in tasks():
        return
    data: TaskData[Any] = load(dataset or planted_world(chosen.task), chosen.task, None, cache)
    subject = Examined(chosen, params or {}, data, epochs)
    for check in (_trains, _repeats, _resumes, _survives_nothing, _gradients, _learns):
        finding = _try(check, subject)
        yield finding
        if check is _trains and not finding.holds:
            return


def planted_world(task_name: str) -> str:
    """The generated dataset of a task."""
    if planted := task(task_name).planted:
        return planted
    raise UsageError(f"the task {task_name} names no generated dataset; name one with --dataset.")


def _try(check: Callable[[Examined], str], subject: Examined) -> Expectation:
    """Run one check: it returns what it saw, and raises what is missing."""
    name = (check.__doc__ or "").rstrip(".")
    try:
        return Expectation(name, True, check(subject))
    except (SuiteError, AssertionError) as problem:
        return Expectation(name, False, str(problem))
    except Exception as error:
        return Expectation(name, False, f"{type(error).__name__}: {error}")


def _declarations(chosen: type[Method]) -> Iterator[Expectation]:
    known = chosen.task in tasks()
    said = chosen.task if known else f"task = '{chosen.task}'; use one of {', '.join(tasks())}"
    yield Expectation("names a known task", known, said)
    described = bool(chosen.title and chosen.paper and (chosen.__doc__ or "").strip())
    yield Expectation(
        "says what it is", described, "title, paper and docstring" if described else "give title, paper and docstring"
    )
    loose = [name for name, declared in chosen.hypers.items() if not (declared.source or declared.help)]
    loose = [name for name in loose if name != "preset"]
    said = f"{len(chosen.hypers)} declared" if not loose else f"give a source or help to {', '.join(loose)}"
    yield Expectation("says where its hyper-parameters come from", not loose, said)


def _trains(subject: Examined) -> str:
    """trains and is evaluated"""
    trained = subject.whole
    assert trained.points, "no evaluation point was taken: check the phases' epochs and select"
    return f"{trained.parameters:,} parameters, {len(trained.curves)} curve points"


def _repeats(subject: Examined) -> str:
    """gives the same bytes for the same seed"""
    first, second = subject.whole, train(subject.training())
    assert _weights(first) == _weights(second), "two trainings differ: draw only from the generator batches() is given"
    assert _curves(first) == _curves(second), "curves differ though weights agree: score() or analyses() draw at random"
    return "two trainings agree"


def _resumes(subject: Examined) -> str:
    """resumes to the same bytes after a stop"""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(epochs=subject.epochs, checkpoint=Path(folder) / "run.safetensors")
        stopped = train(subject.training(settings), Calling(lambda progress: progress.done < progress.total - 1))
        resumed = train(subject.training(settings)) if not stopped.complete else stopped
    assert _weights(resumed) == _weights(subject.whole), (
        "a resumed training differs: keep what begin() prepares in run.memory, not in attributes"
    )
    return "too short to be stopped" if stopped.complete else "stopped before the last epoch and resumed"


def _survives_nothing(subject: Examined) -> str:
    """scores a split without samples"""
    training = subject.training()
    network = training.fresh_network().eval()
    nothing = subject.data.test.take(np.zeros(0, dtype=np.int64))
    with torch.no_grad():
        scores = training.method.score(network, nothing, training.run)
        predictions = training.method.decode(scores, nothing)
    assert predictions is not None, "decode() of no scores must be an empty prediction, not None"
    return "nothing in, nothing out"


def _gradients(subject: Examined) -> str:
    """moves what it trains"""
    start = dict(subject.untrained.network.named_parameters())
    moved = {name: not torch.equal(p, start[name]) for name, p in subject.whole.network.named_parameters()}
    if not subject.method(**subject.params).phases(subject.data):
        return "not trained"
    assert any(moved.values()), "no parameter moved: does the loss reach the network?"
    still = [name for name, did in moved.items() if not did]
    return f"unmoved in {subject.epochs} epochs: {', '.join(still[:5])}" if still else "every parameter moved"


def _learns(subject: Examined) -> str:
    """learns on its planted world"""
    if not subject.method(**subject.params).phases(subject.data):
        return "not trained"
    judge = task(subject.method.task)
    before, after = (
        judge.headline_of(t.points["validation"].metrics["validation"]) for t in (subject.untrained, subject.whole)
    )
    assert after > before, (
        f"{judge.headline} went from {before:.3f} to {after:.3f}: try more --epochs or another --set lr"
    )
    return f"{judge.headline} from {before:.3f} to {after:.3f} in {subject.epochs} epochs"


def _weights(trained: Trained) -> bytes:
    return b"".join(t.cpu().numpy().tobytes() for t in trained.network.state_dict().values())


def _curves(trained: Trained) -> list[Any]:
    return [repr(point) for point in trained.curves]
