"""What one step of a run costs on this machine: a few steps and one evaluation, in a process of their own."""

from __future__ import annotations

import math
import multiprocessing
import resource
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from suite.errors import TrainingError
from suite.places import Places
from suite.spec.run import RunSpec
from suite.train.stepper import Solo
from suite.train.training import Training
from suite.work.preparation import Machine, prepare, threads

WARM_UP = 1  # steps that are not timed: the first allocates


@dataclass(frozen=True)
class StepCost:
    """``seconds`` of a training step (the median) and of an ``evaluation``, ``peak_bytes`` of memory, and how many of
    both the run takes; what later phases do differently (pseudo-labels, a teacher) is counted as the first phase's."""

    seconds: float
    peak_bytes: int
    steps: int
    evaluation: float
    evaluations: int

    @property
    def total(self) -> float:
        """Expected seconds of the whole run on this machine."""
        return self.steps * self.seconds + self.evaluations * self.evaluation


def measure_step(spec: RunSpec, places: Places, steps: int = 5, machine: Machine | None = None) -> StepCost:
    """Train ``spec`` for a few ``steps`` and evaluate it once; nothing is recorded.

    In a fresh process, so that its peak of resident memory is this run's alone (packed features that are mapped count
    as far as they were read). Raises the :class:`SuiteError` that the run itself would raise.
    """
    # Spawned: a forked process would begin with the memory of this one.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, spec, places, steps, machine or Machine()).result()


def _measured(spec: RunSpec, places: Places, steps: int, machine: Machine) -> StepCost:
    with threads(machine.threads):
        training = prepare(spec, places).training(machine.device, places.derived)
        (count, evaluations), each = _lengths(training)
        seconds = _steps(training, steps + WARM_UP, each)
        start = time.perf_counter()
        training.evaluation.evaluate(training.run)
        spent = time.perf_counter() - start
    return StepCost(statistics.median(seconds[WARM_UP:]), _peak(), count, spent, evaluations)


def _lengths(training: Training) -> tuple[tuple[int, int], int]:
    """Steps and evaluations of all phases, and the steps of an epoch of the first."""
    steps = evaluations = first = 0
    for index, phase in enumerate(training.phases):
        training.place(index)
        each = max(1, training.method.steps_per_epoch(training.run, training.generator(0)))
        first = first or each
        epochs = math.ceil(phase.steps / each) if phase.steps else phase.epochs
        steps += phase.steps or epochs * each
        evaluations += max(1, math.ceil(epochs / phase.evaluate_every))
    return (steps, evaluations), first


def _steps(training: Training, count: int, each: int) -> list[float]:
    """Seconds of ``count`` steps from the start, each with the drawing of its batch."""
    training.place(0)
    stepper = Solo(training)
    stepper.enter()
    seconds: list[float] = []
    epoch = 0
    while len(seconds) < count:
        stepper.begin_epoch()
        before, start = len(seconds), time.perf_counter()
        for batch in training.method.batches(training.run, training.generator(epoch)):
            losses = stepper.step(batch, each)
            sum(float(loss.sum()) for loss in losses.values())  # waits for the device
            seconds.append(time.perf_counter() - start)
            start = time.perf_counter()
            if len(seconds) == count:
                break
        if len(seconds) == before:
            raise TrainingError(
                f"{training.method.name} drew no batch from {training.data.name}; lower its batch size."
            )
        epoch += 1
    stepper.hand_back()
    return seconds


def _peak() -> int:
    """Bytes of the process' largest resident memory: Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
