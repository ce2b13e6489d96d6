"""What the ledger holds of a sweep: the only memory a sweep has.

A run of the ledger belongs to a configuration when it has the id of one of the configuration's runs; so what
another sweep, a leaderboard or a person ran counts as well, and what older code or data gave does not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import polars as pl

from suite.data import find_card
from suite.errors import UsageError
from suite.hyper import Value
from suite.places import Places
from suite.registry import method as find_method
from suite.results.ledger import Ledger
from suite.runs import run_id
from suite.spec.card import parse_dataset_name
from suite.spec.sweep import SECONDS, Objective
from suite.sweep.problem import Problem
from suite.sweep.pruners import pruner_kind
from suite.sweep.space import Values
from suite.tasks import task

Named = tuple[Values, list[str]]  # a configuration and the ids of its runs
State = Literal["complete", "pruned", "failed", "partial"]

NOT_FINITE = "the objective is not a finite number"


@dataclass(frozen=True)
class Observed:
    """A configuration with what its runs gave.

    ``values`` are those that were trained, ``post`` the best post-processing found for them; ``objectives`` one number
    per objective (empty unless complete), ``instances`` the same run by run, in the order of :meth:`Problem.runs`
    (NaN where a run is missing); ``curve`` its course in the first run; ``own``: this sweep asked for it.
    """

    values: Values
    state: State
    post: Values = field(default_factory=dict)
    objectives: tuple[float, ...] = ()
    instances: tuple[tuple[float, ...], ...] = ()
    curve: Mapping[int, float] = field(default_factory=dict)
    error: str = ""
    own: bool = False
    seconds: float = 0.0
    runs: tuple[str, ...] = ()
    started: float = 0.0

    @property
    def settings(self) -> Values:
        """Trained and post-processing values together."""
        return {**self.values, **self.post}


@dataclass(frozen=True)
class Tables:
    """The parts of the ledger that sweeps look at, read once.

    ``attempts``: rows by run; ``numbers``: by run, the validation metrics (name, threshold) where validation chose;
    ``curves``: by run and metric, the validation values in order.
    """

    attempts: dict[str, list[dict[str, Any]]]
    numbers: dict[str, dict[tuple[str, float | None], float]]
    curves: dict[str, dict[str, list[float]]]

    @classmethod
    def read(cls, ledger: Ledger, methods: Iterable[str]) -> Tables:
        """Every attempt of ``methods``, with the numbers that validation data gave."""
        rows = ledger.runs(all_attempts=True).filter(pl.col("method").is_in(list(methods)))
        tables = cls({}, {}, {})
        for row in rows.iter_rows(named=True):
            tables.attempts.setdefault(row["run"], []).append(row)
        chosen = (pl.col("label") == "", pl.col("selection") == "validation", pl.col("split") == "validation")
        columns = ("run", "metric", "threshold", "value")
        # Thresholds are rounded on both sides: numpy's linspace gives 0.30000000000000004 where a sweep file says 0.3.
        for run, metric, threshold, value in ledger.metrics(tables.attempts).filter(*chosen).select(columns).rows():
            tables.numbers.setdefault(run, {})[metric, _rounded(threshold)] = math.nan if value is None else value
        curves = ledger.curves(tables.attempts).filter(pl.col("split") == "validation")
        for run, metric, value in curves.select("run", "metric", "value").rows():
            tables.curves.setdefault(run, {}).setdefault(metric, []).append(value)
        return tables


def numbers_of(
    problem: Problem, reported: Mapping[tuple[str, float | None], float], seconds: float
) -> tuple[float, ...]:
    """The objectives of one run from its validation metrics (NaN: not reported)."""
    numbers = []
    for objective in known_objectives(problem):
        name = (objective.metric, _rounded(objective.threshold))
        numbers.append(seconds if objective.metric == SECONDS else reported.get(name, math.nan))
    return tuple(numbers)


def observe(problem: Problem, places: Places, tables: Tables) -> list[Observed]:
    """Every configuration of ``problem`` that the ledger has something of, in the order in which they were started."""
    by_run = {run: rows for run, rows in tables.attempts.items() if rows[0]["method"] == problem.method}
    trained = problem.space.trained()
    settings = [(values, ids) for values, ids in _settings(problem, places, by_run) if _belongs(problem, values)]
    groups: dict[str, list[Named]] = {}
    for named in settings:
        groups.setdefault(trained.key(_split(problem, named[0])[0]), []).append(named)
    found = [_observed(problem, several, by_run, tables) for several in groups.values()]
    return sorted(found, key=lambda seen: seen.started)


def known_objectives(problem: Problem) -> tuple[Objective, ...]:
    """The objectives of the sweep; where none is named, the metric by which the task chooses on validation data."""
    chosen_by = task(find_method(problem.method).task).chosen_by
    return tuple(o if o.metric else o.model_copy(update={"metric": chosen_by}) for o in problem.sweep.objectives)


def _settings(problem: Problem, places: Places, by_run: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Named]:
    """The different configurations to which runs of the ledger belong, each with the ids of all its runs."""
    found: dict[str, Values] = {}
    for rows in by_run.values():
        with suppress(UsageError):  # of a dataset or a dial that is no more
            values = problem.values_of(json.loads(rows[0]["params"]), _dials(rows[0]["dataset"]))
            found.setdefault(problem.space.key(values), values)
    for point in problem.points():
        # A point of the file may also set parameters that are no axes, which cannot be read back from a run by its
        # axes.
        found.setdefault(problem.space.key(point), point)
    # Named anew with today's code and data: a configuration whose runs have other names now was never run.
    named = ((values, _ids(problem, places, values)) for values in found.values())
    return [(values, ids) for values, ids in named if any(run in by_run for run in ids)]


def _belongs(problem: Problem, values: Values) -> bool:
    """A grid is its own points and nothing between them; other samplers learn from all of the space."""
    if problem.sweep.sampler.name != "grid":
        return True
    on = all(values[p.name] in p.grid() for p in problem.space.parameters if p.name in values)
    return on or values in problem.points()


def _ids(problem: Problem, places: Places, values: Mapping[str, Value]) -> list[str]:
    """The runs of a configuration by name; none, where it cannot exist (an old value, now out of range)."""
    try:
        return [run_id(spec, places) for spec in problem.runs(values)]
    except UsageError:
        return []


def _split(problem: Problem, values: Mapping[str, Value]) -> tuple[Values, Values]:
    """The trained and the post-processing part of a configuration."""
    post = {p.name for p in problem.space.post().parameters}
    trained = {name: value for name, value in values.items() if name not in post}
    return trained, {name: value for name, value in values.items() if name in post}


def _observed(problem: Problem, several: Sequence[Named], by_run: Mapping[str, Any], tables: Tables) -> Observed:
    """One trained configuration: the best of its post-processing settings, or what became of it."""
    seen = [_setting(problem, named, by_run, tables) for named in several]
    complete = [one for one in seen if one.state == "complete"]
    # A search leaves the defaults and a rival, whatever their objectives are.
    judged = sum(one.state == "complete" or one.error == NOT_FINITE for one in seen)
    searched = not problem.space.post().parameters or judged > 1
    if complete and not searched:
        # Handed out again: the ledger keeps no raw scores, so the search that is missing must train anew.
        return replace(complete[0], state="partial")
    if complete:
        down = problem.sweep.objectives[0].direction == "minimize"
        best = (min if down else max)(complete, key=lambda one: one.objectives[0])
        return best if problem.space.post().parameters else complete[0]
    # None is complete: what ended for good decides, since what is merely unfinished would be handed out again.
    return min(seen, key=lambda one: ("pruned", "failed", "partial").index(one.state))


def _setting(problem: Problem, named: Named, by_run: Mapping[str, list[dict[str, Any]]], tables: Tables) -> Observed:
    values, ids = named
    attempts = [by_run.get(run, []) for run in ids]
    rows = [row for several in attempts for row in several]
    trained, post = _split(problem, values)
    state, error = _state(attempts, problem.sweep.retries)
    scores = [_numbers(problem, run, rows, tables) for run in ids]
    if state == "complete" and not all(math.isfinite(number) for numbers in scores for number in numbers):
        state, error = "failed", NOT_FINITE
    means = tuple(math.fsum(column) / len(column) for column in zip(*scores)) if state == "complete" else ()
    return Observed(
        values=trained,
        state=state,
        post=post,
        objectives=means,
        instances=tuple(scores),
        # Pruners of curves compare the first run of each configuration alone (see TrialPerformer._run_alone).
        curve=_curve(problem, ids[0], tables) if pruner_kind(problem.sweep.pruner).looks == "curve" else {},
        error=error,
        own=any(row["group"] == problem.sweep.name for row in rows),
        seconds=sum(row["seconds"] for row in rows),
        runs=tuple(ids),
        started=min(row["started"].timestamp() for row in rows),
    )


def _state(attempts: Sequence[Sequence[Mapping[str, Any]]], retries: int) -> tuple[State, str]:
    """What became of a configuration, given the attempts of each of its runs."""
    statuses = [[row["status"] for row in rows] for rows in attempts]
    # A finished attempt makes the failed ones before it irrelevant.
    if all("finished" in one for one in statuses):
        return "complete", ""
    for rows, one in zip(attempts, statuses):
        if "finished" not in one and "pruned" in one:
            return "pruned", str(rows[one.index("pruned")]["error"])
        if "finished" not in one and one.count("failed") > retries:
            return "failed", str(rows[-1]["error"])
    return "partial", ""


def _numbers(problem: Problem, run: str, rows: Sequence[Mapping[str, Any]], tables: Tables) -> tuple[float, ...]:
    """The objectives of one run (NaN: not reported)."""
    seconds = [float(row["seconds"]) for row in rows if row["run"] == run and row["status"] == "finished"]
    return numbers_of(problem, tables.numbers.get(run, {}), seconds[-1] if seconds else math.nan)


def _rounded(threshold: float | None) -> float | None:
    return None if threshold is None else round(threshold, 6)


def _curve(problem: Problem, run: str, tables: Tables) -> dict[int, float]:
    """The first objective at each evaluation point of a run, counted from 1."""
    metric = known_objectives(problem)[0].metric
    return dict(enumerate(tables.curves.get(run, {}).get(metric, []), start=1))


def _dials(dataset: str) -> Values:
    """The turned dials of a row's dataset, as typed as the card says."""
    name, dials = parse_dataset_name(dataset)
    return dict(find_card(name).resolve_dials(dials))
