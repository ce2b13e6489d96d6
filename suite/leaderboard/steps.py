"""A few training steps of a method on noise of a dataset's published shapes: their seconds and their memory."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.data import find_card
from suite.errors import SuiteError
from suite.leaderboard.timed import Timed
from suite.method import Method, Phase
from suite.registry import method
from suite.spec.base import content_hash
from suite.spec.run import RunSpec
from suite.tasks import task
from suite.tasks.data import SPLITS

if TYPE_CHECKING:
    from suite.method import Scores
    from suite.train.stepper import Solo
    from suite.train.training import Training

FEW = {"recognition": 512, "weak-localization": 24, "semi-localization": 6, "actor-detection": 4}
SCORED = 4  # test samples (of actors: clips) whose scoring is timed
TIMED = 3  # steps timed in each phase, the first of which warms up
ENOUGH = 5.0  # seconds after which no further step is timed


def timed_alone(spec: RunSpec) -> Timed:
    """:func:`timed` with one thread in a fresh process, and that process' peak of memory.

    On pixels, where steps are timed on one clip, a second process takes two: the rest of the batch adds as much each.
    Raises what :func:`timed` raises, and :class:`RuntimeError` where the process is killed (out of memory).
    """
    found = _in_process(spec, 1)
    more = light_of(spec)[1] - 1
    if more <= 0:
        return found
    return replace(found, peak=found.peak + more * max(0.0, _in_process(spec, 2).peak - found.peak))


def _in_process(spec: RunSpec, clips: int) -> Timed:
    # Spawned: a forked process would begin with the memory of this one.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, spec, clips).result()


def _measured(spec: RunSpec, clips: int) -> Timed:
    import ray.train.torch  # noqa: F401

    import suite.work.execute  # noqa: F401
    from suite.work.machine import Machine
    from suite.work.memory import reuse_freed
    from suite.work.preparation import threads

    reuse_freed()
    with threads(Machine().threads):
        found = timed(spec, clips)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    held = float(peak if sys.platform == "darwin" else peak * 1024)  # Linux counts in KiB
    return replace(found, peak=held - found.peak)


def timed(spec: RunSpec, clips: int = 1) -> Timed:
    """Time a few steps of every kind of phase, its beginning and the scoring, on noise of the published shapes.

    On pixels a step has as many ``clips``, and is counted as often as they go into the method's batch.
    """
    light, scale = light_of(spec, clips)
    few = smallest(light)
    training, stepper = begun(light, spec, few)
    step: dict[str, float] = {}
    entering: dict[str, float] = {}
    for index, phase in enumerate(training.phases):
        if (kind := kind_of(phase)) not in step:
            training.place(index)
            if not step:  # what happens once in a process (imports, first allocations) is no cost of a sample
                stepper.enter()
            entering[kind] = _clocked(stepper.enter) / few
            step[kind] = _steps(training, stepper) * scale
    score, kept, judged = _evaluated(training)
    noise = sum(_bytes(getattr(training.data, split)) for split in SPLITS)
    return Timed(step, entering, score, noise, kept, judged)


def _evaluated(training: Training) -> tuple[float, float, float]:
    """Of a test sample more: seconds to score and decode it, bytes of its scores, bytes to decode and evaluate it."""
    import torch

    light, network, test = training.method, training.run.network.eval(), training.data.test
    few = test.take(np.arange(SCORED // 2))  # of actors: clips
    with torch.no_grad():
        first = light.score(network, few, training.run)
        _judged(training, first, few)  # what happens once in a process: imports, compiling
        start = time.process_time()
        light.decode(scores := light.score(network, test, training.run), test)
        score = (time.process_time() - start) / SCORED
    judged = max(0, _judged(training, scores, test) - _judged(training, first, few)) / (SCORED - SCORED // 2)
    return score, sum(one.nbytes for one in scores.values()) / SCORED, judged


def _judged(training: Training, scores: Scores, test: Any) -> int:
    """Bytes that decoding and evaluating take at most."""
    tracemalloc.start()
    try:
        training.evaluation.task.evaluate(training.method.decode(scores, test), test, training.data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _bytes(samples: Any) -> int:
    """What the arrays of a split hold."""
    return sum(one.nbytes for one in vars(samples).values() if isinstance(one, np.ndarray))


def light_of(spec: RunSpec, clips: int = 1) -> tuple[Method, int]:
    """The method of ``spec``, on pixels with so many ``clips`` a step, and how many times that its own steps are."""
    hypers = method(spec.method).hypers
    params = {name: value for name, value in spec.params.items() if name in hypers and not hypers[name].file}
    if not on_pixels(spec):
        return method(spec.method)(**params), 1
    clips = min(clips, int(params["batch"]))
    return method(spec.method)(**{**params, "batch": clips}), int(params["batch"]) // clips


def on_pixels(spec: RunSpec) -> bool:
    """Whether the dataset has clips of pixels and no features."""
    return find_card(spec.dataset).layout.channels == 0


def begun(light: Method, spec: RunSpec, train: int, counted: bool = False) -> tuple[Training, Solo]:
    """A training on ``train`` samples of noise; all zeros, which take no memory, where steps are only ``counted``."""
    from suite.leaderboard.generated import generated
    from suite.train.stepper import Solo
    from suite.train.training import Settings, Training

    data = generated(find_card(spec.dataset), light.task, spec.dials, train, SCORED, counted)
    training = Training(light, data, task(light.task), Settings(epochs=spec.epochs))
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
        start = time.process_time()
        batch = next(batches, None)
        if batch is None:
            break
        stepper.step(batch, per_epoch)
        taken.append(time.process_time() - start)
    if not taken:
        raise SuiteError(f"{light.name} drew no batch from {len(training.data.train)} samples of noise.")
    return min(taken[1:] or taken)


def _clocked(act: Callable[[], Any]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


def kind_of(phase: Phase) -> str:
    """Phases whose steps cost the same: turns of an alternation repeat two of them."""
    return f"{phase.name} {content_hash(list(phase.trainable))[:6]}"
