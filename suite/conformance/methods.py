"""What the suite expects of a method, tried one by one on a small planted world."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from suite.conformance.finding import Finding, State, tried
from suite.data import find_card, load
from suite.errors import UsageError
from suite.method import Method
from suite.presets import in_words
from suite.registry import method as find_method
from suite.spec.card import parse_dataset_name
from suite.tasks import Task, task, tasks
from suite.tasks.data import TaskData
from suite.train.loop import train
from suite.train.storage.reporter import Calling, Reporter, Silent
from suite.train.training import Settings, Trained, Training
from suite.work.preparation import threads

SMALL = "small"  # by convention the preset that fits a laptop, where a method has one
SHORT = {"evaluate_steps": 20}  # by convention the steps between two evaluations, where a method counts in steps
EPOCHS = 3
UNTRAINED = 5  # networks that a trained one must surpass: one alone may be bad by chance
LONGER = (12, 48)  # epochs that a method gets which has not clearly learned by then: some settle before they rise
CLEARLY = 0.1  # share of the best untrained headline by which a trained one must surpass it to need no more epochs


@dataclass(frozen=True)
class Trial:
    """How a method is examined: with which parameters, on which dataset, for how many epochs.

    ``longer`` are the epochs that it may learn in where ``epochs`` are not enough.
    """

    method: type[Method]
    params: Mapping[str, Any]
    dataset: str
    epochs: int
    longer: tuple[int, ...]

    def in_words(self) -> str:
        """The trial in a line."""
        settings = in_words(self.method, self.method.resolve(self.params))
        smallest = "" if self.params.get("preset") != SMALL else " (its smallest)"
        where = f" on {self.dataset}" if self.dataset else ""
        return f"{settings}{smallest}{where}, {self.epochs} epochs a training"


def planned(name: str, dataset: str = "", params: Mapping[str, Any] | None = None, epochs: int | None = None) -> Trial:
    """The trial of the method called ``name``: if nothing else is asked, its smallest preset on its small world.

    Raises :class:`UsageError` for an unknown name, parameter or value, and for a task without a generated dataset.
    """
    chosen, given = find_method(name), dict(params or {})
    given = {**{name: value for name, value in SHORT.items() if name in chosen.hypers}, **given}
    if SMALL in chosen.presets:
        given = {"preset": SMALL, **given}
    chosen.resolve(given)
    known = chosen.task in tasks()
    world = dataset or (small_world(chosen.task) if known else "")
    return Trial(chosen, given, world, epochs or EPOCHS, LONGER if epochs is None else ())


def small_world(task_name: str) -> str:
    """The generated dataset of a task, as small as its card says."""
    planted = task(task_name).planted
    if not planted:
        raise UsageError(f"the task {task_name} names no generated dataset; name one with --dataset.")
    name, dials = parse_dataset_name(planted)
    card = find_card(name)
    return card.label({**card.small, **dials})


@dataclass(frozen=True)
class Examined:
    """The method under examination, with its data; ``reporter`` is told how far each training is."""

    trial: Trial
    data: TaskData[Any]
    reporter: Reporter

    def made(self) -> Method:
        """A new instance of the method."""
        return self.trial.method(**self.trial.params)

    def training(self, settings: Settings | None = None) -> Training:
        """A new training of the method."""
        chosen = settings or Settings(epochs=self.trial.epochs)
        return Training(self.made(), self.data, task(self.trial.method.task), chosen)

    @property
    def is_trained(self) -> bool:
        """Whether there is anything to train."""
        return bool(self.made().phases(self.data))

    @cached_property
    def whole(self) -> Trained:
        """An undisturbed training, to compare others with."""
        return train(self.training(), self.reporter)

    @cached_property
    def untrained(self) -> list[Trained]:
        """Networks before their first step, evaluated; the first has the weights that all trainings start from."""
        trainings = [self.training(Settings(seed=seed)) for seed in range(UNTRAINED)]
        for training in trainings:
            training.phases = []
        return [train(training) for training in trainings]


def examine(trial: Trial, cache: Path | None = None, reporter: Reporter | None = None) -> Iterator[Finding]:
    """Try every expectation; later checks are left out when the first ones fail.

    One thread is used, as by ``suite train``: threads that wait for each other would take most of the time of small
    networks.
    """
    yield from _declarations(trial.method)
    if trial.method.task not in tasks():
        return
    data: TaskData[Any] = load(trial.dataset, trial.method.task, None, cache)
    subject = Examined(trial, data, reporter or Silent())
    for check in (_trains, _repeats, _resumes, _survives_nothing, _gradients, _learns):
        with threads(1):
            finding = tried(check, subject)
        yield finding
        if check is _trains and not finding.holds:
            return


def _declarations(chosen: type[Method]) -> Iterator[Finding]:
    known = chosen.task in tasks()
    said = chosen.task if known else f"task = '{chosen.task}'; use one of {', '.join(tasks())}"
    yield _declared("names a known task", known, said)
    described = bool(chosen.title and chosen.paper and (chosen.__doc__ or "").strip())
    yield _declared(
        "says what it is", described, "title, paper and docstring" if described else "give title, paper and docstring"
    )
    loose = [name for name, declared in chosen.hypers.items() if not (declared.source or declared.help)]
    loose = [name for name in loose if name != "preset"]
    said = f"{len(chosen.hypers)} declared" if not loose else f"give a source or help to {', '.join(loose)}"
    yield _declared("says where its hyper-parameters come from", not loose, said)


def _declared(check: str, holds: bool, said: str) -> Finding:
    state: State = "yes" if holds else "no"
    return Finding(check, state, said)


def _trains(subject: Examined) -> str:
    """trains and is evaluated"""
    trained = subject.whole
    assert trained.points, "no evaluation point was taken: check the phases' epochs and select"
    return f"{trained.parameters:,} parameters, {len(trained.curves)} curve points"


def _repeats(subject: Examined) -> str:
    """gives the same bytes for the same seed"""
    first, second = subject.whole, train(subject.training(), subject.reporter)
    assert _weights(first) == _weights(second), "two trainings differ: draw only from the generator batches() is given"
    assert _curves(first) == _curves(second), "curves differ though weights agree: score() or analyses() draw at random"
    return "two trainings agree"


def _resumes(subject: Examined) -> str:
    """resumes to the same bytes after a stop"""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(epochs=subject.trial.epochs, checkpoint=Path(folder) / "run.safetensors")
        stopped = train(subject.training(settings), Calling(lambda progress: progress.done < progress.total - 1))
        resumed = train(subject.training(settings), subject.reporter) if not stopped.complete else stopped
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
    if not subject.is_trained:
        return "not trained"
    start = dict(subject.untrained[0].network.named_parameters())
    moved = {name: not torch.equal(p, start[name]) for name, p in subject.whole.network.named_parameters()}
    assert any(moved.values()), "no parameter moved: does the loss reach the network?"
    still = [name for name, did in moved.items() if not did]
    return f"unmoved in {subject.trial.epochs} epochs: {', '.join(still[:5])}" if still else "every parameter moved"


def _learns(subject: Examined) -> str:
    """learns on its planted world"""
    if not subject.is_trained:
        return "not trained"
    trial, judge = subject.trial, task(subject.trial.method.task)
    untrained = [_headline(one, judge) for one in subject.untrained]
    best, reached = max(untrained), {trial.epochs: _headline(subject.whole, judge)}
    for epochs in trial.longer:
        if max(reached.values()) > best + CLEARLY * abs(best):
            break
        reached[epochs] = _headline(train(subject.training(Settings(epochs=epochs)), subject.reporter), judge)
    epochs = max(reached, key=lambda one: (reached[one], one))
    said = f"{judge.headline} on test data is {reached[epochs]:.3f} after {epochs} epochs"
    said = f"{said}, {min(untrained):.3f} to {best:.3f} without training"
    assert reached[epochs] > best, f"{said}: try more --epochs or another --set lr"
    return said + (f"; {trial.epochs} epochs were not enough" if len(reached) > 1 else "")


def _headline(trained: Trained, judge: Task) -> float:
    """The headline on test data, at the epoch that validation chose: the best of many epochs by chance is no merit."""
    return judge.headline_of(trained.points["validation"].metrics["test"])


def _weights(trained: Trained) -> bytes:
    return b"".join(t.cpu().numpy().tobytes() for t in trained.network.state_dict().values())


def _curves(trained: Trained) -> list[Any]:
    return [repr(point) for point in trained.curves]
