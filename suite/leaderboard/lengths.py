"""How long runs are at the published size: their phases in steps and evaluations, and the seconds that these take."""

from __future__ import annotations

from dataclasses import dataclass

from suite.data import find_card
from suite.leaderboard.steps import begun, draws_epochs, kind_of, light_of, on_pixels, smallest
from suite.leaderboard.timed import Timed, scored, size_of
from suite.spec.run import RunSpec


@dataclass(frozen=True)
class Length:
    """How long one phase is: its kind, its steps, and how many times it is evaluated."""

    kind: str
    steps: float
    evaluations: float


def lengths(spec: RunSpec, train: int) -> list[Length]:
    """The phases of a run with ``train`` training samples."""
    light = light_of(spec)[0]
    training, stepper = begun(light, spec, train, counted=True)
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
    light, size = light_of(spec)[0], size_of(find_card(spec.dataset))
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
    train, total = size_of(find_card(spec.dataset)).train, 0.0
    for one in published_lengths(spec):
        # A schedule may have a phase that was not among those timed: the costliest of them stands for it.
        step = found.step.get(one.kind, max(found.step.values()))
        looks = max(1.0, one.evaluations) * scored(spec)
        total += one.steps * step + train * found.entering.get(one.kind, 0.0) + looks * found.score
    return total
