"""Which runs can be trained as one stack, and the outcomes of those that can."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from suite.errors import pass_on_interruption
from suite.method import Method, Phase
from suite.places import Places
from suite.registry import method as find_method
from suite.results.schema import Outcome
from suite.spec.base import canonical_json
from suite.spec.run import RunSpec
from suite.tasks.data import TaskData
from suite.train.loop import Loop
from suite.train.packed.stepper import Stacked
from suite.train.storage.reporter import Reporter
from suite.work.machine import Machine
from suite.work.onlookers import Onlookers
from suite.work.preparation import prepare, threads
from suite.work.record import outcome_of, run_row

# Stacking pays where launches cost more than arithmetic; beyond this many weights a CPU is faster one by one.
SMALL_ON_CPU = 100_000

logger = logging.getLogger(__name__)

_REFUSED: set[str] = set()  # methods whose loss turned out, in this process, not to work on stacks


def can_pack(method: type[Method], names: Iterable[str]) -> bool:
    """Whether configurations that differ in the parameters ``names`` may train as one stack, by what is declared."""
    declared = all(name in method.hypers and method.hypers[name].packed for name in names)
    # A stack has no weights of single networks between steps, so it never calls ``after_step``.
    return declared and method.after_step is Method.after_step and method.name not in _REFUSED


def pays(method: Method, data: TaskData[Any], gpu: bool) -> bool:
    """Whether runs of ``method`` on ``data`` train faster as one stack than one by one."""
    if not (method.packs(data) and _agree([method.phases(data)])):
        return False
    return gpu or sum(parameter.numel() for parameter in method.network(data).parameters()) <= SMALL_ON_CPU


def run_packed(
    specs: Sequence[RunSpec],
    places: Places,
    machine: Machine,
    group: str,
    reporter: Reporter,
) -> list[Outcome | None]:
    """The outcomes of those runs that could be trained together, each as if it had been trained alone.

    None stands for a run that has to be trained by itself, or that was stopped because ``reporter`` said so.
    """
    found: dict[int, Outcome] = {}
    for members in groups(specs) if not machine.workers and machine.accumulate == 1 else []:
        found |= dict(zip(members, _run([specs[i] for i in members], places, machine, group, reporter)))
    return [found.get(index) for index in range(len(specs))]


def groups(specs: Sequence[RunSpec]) -> list[list[int]]:
    """Runs that differ in nothing but packed parameters, by index; single runs are left out."""
    alike: dict[str, list[int]] = {}
    for index, spec in enumerate(specs):
        method = find_method(spec.method)
        packed = [name for name, declared in method.hypers.items() if declared.packed]
        # Steps of a stack have neither autocast nor loss scales.
        if packed and can_pack(method, packed) and spec.precision == "float32":
            same = {name: value for name, value in spec.params.items() if name not in packed}
            alike.setdefault(canonical_json(spec.model_dump() | {"params": same}), []).append(index)
    return [members for members in alike.values() if len(members) > 1]


def _run(specs: Sequence[RunSpec], places: Places, machine: Machine, group: str, reporter: Reporter) -> list[Outcome]:
    """The outcomes of a group in order; none where it was stopped, or where the method cannot be packed after all."""
    clock = time.monotonic()
    rows = [run_row(spec, places, machine, group, carried="packed") for spec in specs]
    try:
        with threads(machine.threads):
            prepared = [prepare(spec, places) for spec in specs]
            data = prepared[0].data
            trainings = [one.training(machine.device, places.derived, data=data) for one in prepared]
            if not (prepared[0].method.packs(data) and _agree([training.phases for training in trainings])):
                return []
            onlookers = Onlookers(trainings, specs, rows, machine, places)
            complete = Loop(Stacked(trainings), onlookers.beside(reporter)).run()
    except Exception as error:  # whatever it was: trained alone, the method reports the error itself
        pass_on_interruption(error)
        logger.debug("%s is not packed", specs[0].method, exc_info=True)
        _REFUSED.add(specs[0].method)
        return []
    if not complete:
        onlookers.broken("stopped")
        return []
    # Each gets its share, so that seconds add up to the time that the machine was busy.
    seconds = (time.monotonic() - clock) / len(specs)
    ended = zip(rows, prepared, trainings, strict=True)
    outcomes = [outcome_of({**row, "seconds": seconds}, one, training) for row, one, training in ended]
    return onlookers.ended(outcomes)


def _agree(phases: Sequence[Sequence[Phase]]) -> bool:
    """Whether the schedules differ in learning rate and weight decay alone, and have nothing a stack cannot do."""
    plain = [[replace(p, optimizer=replace(p.optimizer, lr=0.0, weight_decay=0.0)) for p in one] for one in phases]
    # Averages and fresh starts are the solo stepper's alone. A stopping rule takes members out one by one, which is
    # possible only where no later phase needs them in step.
    simple = all(
        phase.average is None and phase.start == "continue" and (phase.stopping is None or len(plain[0]) == 1)
        for phase in plain[0]
    )
    return bool(plain[0]) and simple and all(one == plain[0] for one in plain)
