"""What can be known to go wrong before anything starts: objectives that no run reports, pruners without a curve."""

from __future__ import annotations

from typing import Any

from suite.data import load
from suite.errors import UsageError, did_you_mean
from suite.places import Places
from suite.registry import method as find_method
from suite.registry import method_for
from suite.spec.run import RunSpec
from suite.spec.sweep import SECONDS, SweepSpec
from suite.sweep.history import known_objectives
from suite.sweep.problem import Problem, problems
from suite.sweep.pruners import pruner_kind
from suite.tasks import Task, task
from suite.tasks.data import TaskData
from suite.work.packing import can_pack, pays


def check(spec: SweepSpec, places: Places) -> list[bool]:
    """Look at everything a sweep needs, on this machine's data; says of each study whether it can be packed.

    Raises :class:`UsageError` or :class:`DataError` in one sentence.
    """
    return [_check(problem, places) for problem in problems(spec)]


def _check(problem: Problem, places: Places) -> bool:
    run = problem.runs(problem.space.defaults())[0]
    chosen = find_method(problem.method)
    data: TaskData[Any] = load(
        run.dataset, chosen.task, places.root, places.cache, protocol=run.protocol, dials=run.dials, seed=run.seed
    )
    names = reported(task(chosen.task), data)
    for objective in known_objectives(problem):
        if objective.metric != SECONDS and (objective.metric, objective.threshold) not in names:
            raise UsageError(_unreported(problem, objective.metric, objective.threshold, names))
    first = known_objectives(problem)[0]
    looks = pruner_kind(problem.sweep.pruner).looks
    if looks == "curve" and (first.threshold is not None or first.metric == SECONDS):
        raise UsageError(
            f"sweep {problem.sweep.name}: the {problem.sweep.pruner.name} pruner needs a curve, and '{first.metric}' "
            "has none; choose another objective or leave the pruner out."
        )
    return _is_packable(problem, run, data)


def reported(task: Task, data: TaskData[Any]) -> set[tuple[str, float | None]]:
    """The metrics (name, threshold) that a run on ``data`` reports, found by evaluating a guess."""
    samples = data.validation
    guess = task.calibrated({"validation": task.guess(samples, len(data.classes))}, data)["validation"]
    return {(metric.metric, metric.threshold) for metric in task.evaluate(guess, samples, data) if not metric.label}


def _unreported(problem: Problem, metric: str, threshold: float | None, names: set[tuple[str, float | None]]) -> str:
    where = f"sweep {problem.sweep.name}: no run of {problem.method} reports '{metric}'"
    at = sorted(t for name, t in names if name == metric and t is not None)
    if at:
        here = f" at threshold {threshold:g}" if threshold is not None else " without a threshold"
        return f"{where}{here}; give the objective one of the thresholds {', '.join(f'{t:g}' for t in at)}."
    return f"{where}{did_you_mean(metric, {name for name, _ in names} | {'seconds'})}"


def _is_packable(problem: Problem, run: RunSpec, data: TaskData[Any]) -> bool:
    """Whether the configurations of a study may train as one stack, and whether that is worth it."""
    spec, axes = problem.sweep, problem.space.trained().parameters
    chosen = method_for(problem.method, run.params)
    if spec.packed < 2 or spec.pruner.name != "none" or spec.resources.workers or spec.precision != "float32":
        return False
    if not axes or any(p.dial for p in axes) or not can_pack(chosen, [p.name for p in axes]):
        return False
    return pays(chosen(**run.params), data, spec.resources.gpu > 0)
