"""The inner loop: parameters that only post-process are searched over the scores of trained networks, not by training.

Tens of thousands of settings a second where a setting moves a threshold over fixed scores, a thousand and more where it
thins candidates that all settings share; elsewhere as fast as the method decodes. The choice is made on validation
data; test data are decoded once, with what was chosen.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from suite.method import Method, Scores
from suite.results.schema import Outcome
from suite.spec.base import canonical_json
from suite.spec.sweep import Objective
from suite.sweep.fast import metric_values
from suite.sweep.history import known_objectives
from suite.sweep.problem import Problem
from suite.sweep.space import Parameter, Space, Values
from suite.tasks.scoring.decodings import Decodings
from suite.train.evaluation import judge
from suite.train.start import with_values
from suite.work.preparation import Prepared
from suite.work.record import point_rows

WIDTH = 0.15  # of a range: deviation of the second half of the settings from the best of the first


@dataclass(frozen=True)
class Scored:
    """One trained run: what it is, and its scores by split at the point that validation chose and at the last one."""

    outcome: Outcome
    prepared: Prepared
    points: Mapping[str, Mapping[str, Scores]]

    @classmethod
    def of(cls, outcome: Outcome) -> Scored:
        """The scores that an execution left in memory."""
        extra = outcome.extra
        return cls(outcome, extra["prepared"], {"validation": extra["selected"], "last": extra["scores"]})

    def method(self, values: Mapping[str, Any]) -> Method:
        """The run's method with other post-processing."""
        return with_values(self.prepared.method, values)


@dataclass(frozen=True)
class Found:
    """The best setting, its objectives (means over the runs) and everything to record."""

    values: Values
    objectives: tuple[float, ...]
    outcomes: list[Outcome]
    tried: int


def search_post(problem: Problem, trained: Mapping[str, Any], runs: Sequence[Scored], count: int) -> Found:
    """The best of about ``count`` settings of the post-processing axes for networks trained with ``trained``.

    A grid sweep tries every point of its grid and records each; others record the defaults, the best, and the best that
    is not the defaults: the sign that the search was made. Where no setting has finite objectives, ``objectives`` are
    those of the defaults.
    """
    space, objectives = problem.space.post(), known_objectives(problem)
    defaults = _settings(problem, trained, [problem.space.defaults()])[0]
    grid = problem.sweep.sampler.name == "grid"
    # The defaults come first, and the first of equals wins: nothing is changed without a gain.
    settings = [defaults, *_settings(problem, trained, space.grid() if grid else spread(space, count // 2))]
    numbers = _judged(runs, settings, objectives)
    # Half of the settings explore the space, the rest refine the best of them; a small space was listed whole.
    if not grid and len(settings) > count // 2:
        more = _settings(problem, trained, around(space, settings[_best(numbers, objectives)], count - len(settings)))
        settings, numbers = settings + more, np.concatenate([numbers, _judged(runs, more, objectives)])
    best = _best(numbers, objectives)
    rival = _best(numbers, objectives, ~_alike(settings, defaults))
    kept = range(len(settings)) if grid else sorted({0, best, rival})
    recorded = {canonical_json(settings[i]): settings[i] for i in kept}
    outcomes = [_outcome(run, values, defaults) for values in recorded.values() for run in runs]
    return Found(settings[best], tuple(map(float, numbers[best])), outcomes, len(settings))


def spread(space: Space, count: int) -> list[Values]:
    """``count`` settings spread evenly over the space by a Sobol sequence, or all of a space that has no more."""
    if space.size <= count:
        return list(space.every())
    from scipy.stats import qmc

    # A Sobol sequence is balanced at powers of two: one is drawn whole and then cut. The fixed seed makes the search,
    # hence what a run reports, repeatable.
    points = qmc.Sobol(len(space.parameters), seed=0).random(1 << max(1, (count - 1).bit_length()))[:count]
    return [{p.name: _at(p, share) for p, share in zip(space.parameters, point)} for point in points]


def around(space: Space, centre: Values, count: int) -> list[Values]:
    """``count`` settings near ``centre``: each axis moves a little, now and then a choice changes."""
    draw = random.Random(0)
    found: list[Values] = []
    for _ in range(max(0, count)):
        moved: Values = {}
        for p in space.parameters:
            where = _share(p, centre.get(p.name, p.default))
            stray = draw.gauss(0, WIDTH) if p.kind != "categorical" else 0.0
            jump = p.kind == "categorical" and draw.random() < WIDTH
            moved[p.name] = _at(p, draw.random() if jump else min(max(where + stray, 0.0), 1.0))
        found.append(moved)
    return found


def _at(p: Parameter, share: float) -> Any:
    """The value of an axis at ``share`` in [0, 1] of it."""
    if p.kind == "categorical":
        return p.choices[min(int(share * len(p.choices)), len(p.choices) - 1)]
    if p.size < np.inf:
        values = p.every()
        return values[min(int(share * len(values)), len(values) - 1)]
    return p.low * (p.high / p.low) ** share if p.log else p.low + (p.high - p.low) * share


def _share(p: Parameter, value: Any) -> float:
    if p.kind == "categorical":
        # The middle of the choice's share, so that :func:`_at` leads back to it.
        return (p.choices.index(value) + 0.5) / len(p.choices) if value in p.choices else 0.0
    if p.log:
        return float(np.log(value / p.low) / np.log(p.high / p.low))
    return float((value - p.low) / (p.high - p.low))


def _settings(problem: Problem, trained: Mapping[str, Any], settings: Iterable[Values]) -> list[Values]:
    """Settings without the axes that do not exist for these trained values."""
    names = problem.space.post().names
    whole = (problem.space.existing({**setting, **trained}) for setting in settings)
    return [{name: values[name] for name in names if name in values} for values in whole]


def _judged(runs: Sequence[Scored], settings: Sequence[Values], objectives: Sequence[Objective]) -> np.ndarray:
    """(settings, objectives) means over the runs, on validation data at the chosen point."""
    total = np.zeros((len(settings), len(objectives)))
    for run in runs:
        scores, samples = run.points["validation"]["validation"], run.prepared.data.validation
        predictions = Decodings([run.method(values) for values in settings], scores, samples)
        total += metric_values(predictions, samples, run.prepared.data, run.prepared.task, objectives)
    return total / len(runs)


def _alike(settings: Sequence[Values], other: Values) -> np.ndarray:
    return np.array([setting == other for setting in settings])


def _best(numbers: np.ndarray, objectives: Sequence[Objective], among: np.ndarray | None = None) -> int:
    """The first of the best settings by the first objective, of those whose objectives are all finite.

    ``among`` (settings,) bool restricts the choice. Where none is finite: the first that it allows, 0 without any.
    """
    sign = -1.0 if objectives[0].direction == "minimize" else 1.0
    allowed = np.ones(len(numbers), dtype=bool) if among is None else among
    finite = allowed & np.isfinite(numbers).all(axis=1)
    gains = np.where(finite, sign * np.nan_to_num(numbers[:, 0]), -np.inf)
    return int((gains if finite.any() else allowed).argmax())


def _outcome(run: Scored, values: Values, defaults: Values) -> Outcome:
    """The run's rows under other post-processing; with the defaults it is the run as it was."""
    if values == defaults:
        return run.outcome
    prepared = run.prepared
    spec = prepared.spec.model_copy(update={"params": {**prepared.spec.params, **values}})
    row = {**run.outcome.run, "params": canonical_json(spec.params), "run": _renamed(run, spec)}
    method = run.method(values)
    points = {name: judge(method, prepared.task, prepared.data, scores) for name, scores in run.points.items()}
    metrics, predictions = point_rows(points, prepared.data)
    return replace(run.outcome, run=row, metrics=metrics, predictions=predictions)


def _renamed(run: Scored, spec: Any) -> str:
    """The id of the run of ``spec`` on the same data and code."""
    name: str = spec.run_id(run.outcome.run["fingerprint"], run.outcome.run["code"])
    # Post-processing changes values and adds no parameter; otherwise the name would be that of no run.
    assert json.loads(run.outcome.run["params"]).keys() == spec.params.keys()
    return name
