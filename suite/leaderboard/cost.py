"""What runs cost on this machine, from a few training steps timed on it: for plans whose data are not here yet.

Steps are timed on noise of the published shapes (:mod:`suite.leaderboard.generated`), counted from a method's phases at
the published size, and kept in a file of the output folder. Reading and decoding of files is not in it.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.data import find_card
from suite.errors import SuiteError
from suite.leaderboard.generated import size_of
from suite.method import Method, Phase
from suite.presets import preset_of
from suite.registry import method
from suite.report.matching import key_of
from suite.spec.base import content_hash
from suite.spec.run import RunSpec
from suite.tasks import task
from suite.writing import write_whole

if TYPE_CHECKING:
    from suite.train.stepper import Solo
    from suite.train.training import Training

FEW = {"recognition": 512, "weak-localization": 24, "semi-localization": 6, "actor-detection": 4}
SCORED = 2  # test samples whose scoring is timed
TIMED = 3  # steps timed in each phase, the first of which warms up
ENOUGH = 5.0  # seconds after which no further step is timed


@dataclass(frozen=True)
class Timed:
    """Seconds on this machine: of a ``step`` by phase, of ``entering`` it per training sample, of scoring a sample."""

    step: Mapping[str, float]
    entering: Mapping[str, float]
    score: float


@dataclass
class Costs:
    """What the file of an output folder holds for this machine: timings by setting, and seconds expected of runs."""

    path: Path
    known: dict[str, Timed] = field(default_factory=dict)
    runs: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Costs:
        """What is in ``folder``; nothing where the file is not there or not readable."""
        path = folder / "cache" / "steps.json"
        held = _held(path).get(platform.node(), {})
        try:
            return cls(path, {key: Timed(**values) for key, values in held["timed"].items()}, dict(held["runs"]))
        except (KeyError, TypeError, AttributeError):
            return cls(path)

    def measure(self, specs: Iterable[RunSpec], tell: Callable[[str], None]) -> None:
        """Time every setting of ``specs`` that is not known and count the steps of its runs; ``tell`` gets a line each.

        A setting that cannot be trained on noise stays unknown.
        """
        for spec in {name_of(one): one for one in specs}.values():
            key = key_for(spec)
            try:
                if key not in self.known:
                    self.known[key] = timed(spec)
                    tell(f"timed {key}: {max(self.known[key].step.values(), default=0.0):.3g} s a step")
                if name_of(spec) not in self.runs:
                    self.runs[name_of(spec)] = expected(spec, self.known[key])
            except (SuiteError, RuntimeError, ValueError, KeyError, MemoryError) as error:
                tell(f"not timed: {key} ({type(error).__name__}: {error})")
            self._save()

    def seconds(self, spec: RunSpec) -> float | None:
        """Expected seconds of one run at the published size; None where its setting was never timed."""
        return self.runs.get(name_of(spec))

    def _save(self) -> None:
        everything = _held(self.path)
        timings = {key: vars(one) for key, one in self.known.items()}
        everything[platform.node()] = {"timed": timings, "runs": self.runs}
        write_whole(self.path, json.dumps(everything, indent=1))


def _held(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def name_of(spec: RunSpec) -> str:
    """What runs of one setting share, whatever their seed."""
    return content_hash(list(key_of(spec)))


def key_for(spec: RunSpec) -> str:
    """What runs of one cost per step share: ablations and shares of labels change how many, hardly how long."""
    return f"{spec.method}, {preset_of(method(spec.method), spec.params)}, {spec.dataset}"


def timed(spec: RunSpec) -> Timed:
    """Time a few steps of every kind of phase, its beginning and the scoring, on noise of the published shapes."""
    import torch

    light, scale = _light(spec)
    few = smallest(light)
    training, stepper = _begun(light, spec, few)
    step: dict[str, float] = {}
    entering: dict[str, float] = {}
    for index, phase in enumerate(training.phases):
        if (kind := kind_of(phase)) not in step:
            training.place(index)
            if not step:  # what happens once in a process (imports, first allocations) is no cost of a sample
                stepper.enter()
            entering[kind] = _clocked(stepper.enter) / few
            step[kind] = _steps(training, stepper) * scale
    network, test = training.run.network.eval(), training.data.test
    with torch.no_grad():
        score = _clocked(lambda: light.decode(light.score(network, test, training.run), test)) / max(1, len(test))
    return Timed(step, entering, score)


def _light(spec: RunSpec) -> tuple[Method, int]:
    """The method of ``spec``, on pixels with one clip a step, and how many times that its own steps are."""
    hypers = method(spec.method).hypers
    params = {name: value for name, value in spec.params.items() if not hypers[name].file}
    if not on_pixels(spec):
        return method(spec.method)(**params), 1
    return method(spec.method)(**{**params, "batch": 1}), int(params["batch"])


def on_pixels(spec: RunSpec) -> bool:
    """Whether the dataset has clips of pixels and no features."""
    return find_card(spec.dataset).layout.channels == 0


def _begun(light: Method, spec: RunSpec, train: int, counted: bool = False) -> tuple[Training, Solo]:
    """A training on ``train`` samples of noise; all zeros, which take no memory, where steps are only ``counted``."""
    from suite.leaderboard.generated import generated
    from suite.train.stepper import Solo
    from suite.train.training import Settings, Training

    data = generated(find_card(spec.dataset), light.task, spec.dials, train, SCORED, counted)
    training = Training(light, data, task(light.task), Settings())
    return training, Solo(training)


def smallest(light: Method) -> int:
    """Training samples enough for whole batches, so that numbers of steps lie on a straight line."""
    few, batch = FEW[light.task], int(light.params.get("batch", 1))
    return -(-few // batch) * batch if draws_epochs(light) else few


def draws_epochs(light: Method) -> bool:
    """Whether an epoch is as long as its batches happen to be, and not a number of steps that the method states."""
    return type(light).steps_per_epoch is Method.steps_per_epoch


def _steps(training: Training, stepper: Solo) -> float:
    """Seconds of a step in the phase that the training is in."""
    run, light = training.run, training.method
    per_epoch = max(1, light.steps_per_epoch(run, training.generator(0)))
    stepper.begin_epoch()
    batches, taken = iter(light.batches(run, training.generator(0))), list[float]()
    while len(taken) < TIMED and sum(taken) < ENOUGH:
        begun = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            break
        stepper.step(batch, per_epoch)
        taken.append(time.perf_counter() - begun)
    if not taken:
        raise SuiteError(f"{light.name} drew no batch from {len(training.data.train)} samples of noise.")
    return min(taken[1:] or taken)


def _clocked(act: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def kind_of(phase: Phase) -> str:
    """Phases whose steps cost the same: turns of an alternation repeat two of them."""
    return f"{phase.name} {content_hash(list(phase.trainable))[:6]}"


@dataclass(frozen=True)
class Length:
    """How long one phase is: its kind, its steps, and how many times it is evaluated."""

    kind: str
    steps: float
    evaluations: float


def lengths(spec: RunSpec, train: int) -> list[Length]:
    """The phases of a run with ``train`` training samples."""
    light = _light(spec)[0]
    training, stepper = _begun(light, spec, train, counted=True)
    found: list[Length] = []
    known: dict[str, int] = {}
    for index, phase in enumerate(training.phases):
        training.place(index)
        if (kind := kind_of(phase)) not in known:
            if draws_epochs(light):  # what the phase has prepared is drawn from
                stepper.enter()
            known[kind] = max(1, light.steps_per_epoch(training.run, training.generator(0)))
        steps = phase.steps or phase.epochs * known[kind]
        found.append(Length(kind, steps, steps / known[kind] / phase.evaluate_every))
    return found


def published_lengths(spec: RunSpec) -> list[Length]:
    """The phases of a run at the published size.

    Where epochs would have to be drawn, or samples are clips of pixels, phases are counted at two small sizes and
    continued on a straight line: their lengths follow from the number of samples, or do not depend on it.
    """
    light, size = _light(spec)[0], size_of(find_card(spec.dataset))
    if not draws_epochs(light) and not on_pixels(spec):
        return lengths(spec, size.train)
    few = smallest(light)
    pairs = zip(lengths(spec, few), lengths(spec, 2 * few), strict=True)
    far = (size.train - few) / few
    return [
        Length(a.kind, a.steps + (b.steps - a.steps) * far, a.evaluations + (b.evaluations - a.evaluations) * far)
        for a, b in pairs
    ]


def expected(spec: RunSpec, found: Timed) -> float:
    """Seconds of a run at the published size, by steps, beginnings of phases and evaluations."""
    size, total = size_of(find_card(spec.dataset)), 0.0
    for one in published_lengths(spec):
        # A schedule may have a phase that was not among those timed: the costliest of them stands for it.
        step = found.step.get(one.kind, max(found.step.values()))
        # At each evaluation two splits are scored, of which the published recipes take one for the other.
        looks = max(1.0, one.evaluations) * 2 * size.test
        total += one.steps * step + size.train * found.entering.get(one.kind, 0.0) + looks * found.score
    return total
