"""The page of a sweep: figures, the best trials, and the test score of what validation data chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from suite.evaluate.significance import summarize
from suite.places import Places
from suite.report.index import About, leave
from suite.report.page import write_page
from suite.results.ledger import Ledger
from suite.results.marks import marks
from suite.spec.sweep import SECONDS, Objective, SweepSpec
from suite.sweep import figures
from suite.sweep.history import Observed, known_objectives
from suite.sweep.standing import in_words, ranked, standing
from suite.sweep.tuned import Finding, findings


@dataclass(frozen=True)
class TrialRow:
    """One configuration on test data: what it is, its settings, its value of each seed, mean and interval in words."""

    label: str
    settings: str
    validation: str
    test: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class StudySection:
    """One study: its figures by heading, its comparison on test data, its best trials and its failures."""

    title: str
    metric: str
    state: dict[str, Any]
    figures: dict[str, Any]
    compared: tuple[TrialRow, ...]
    difference: str
    best: tuple[Observed, ...]


@dataclass(frozen=True)
class SweepContent:
    """Everything the page says."""

    spec: SweepSpec
    sections: tuple[StudySection, ...]
    made: datetime


def build_page(spec: SweepSpec, places: Places, single: bool = False) -> Path:
    """Write ``<outputs>/reports/sweeps/<name>.html`` from what the ledger holds; returns the file.

    ``single``: with the library that draws figures inside.
    """
    ledger = Ledger(places.ledger)
    sections = tuple(_section(finding, ledger) for finding in findings(spec, places))
    content = SweepContent(spec, sections, datetime.now(UTC))
    file = places.local / "reports" / "sweeps" / f"{spec.name}.html"
    write_page(file, "sweep.html.j2", content, single, settings=in_words)
    leave(file, _about(content))
    return file


def _about(content: SweepContent) -> About:
    """What the index of pages says of this one."""
    lines = tuple(f"{one.title}: {len(one.best)} trials shown, by {one.metric}" for one in content.sections)
    return About("sweep", content.spec.name, f"{content.made:%Y-%m-%d %H:%M} UTC", f"{len(lines)} studies", lines)


def _section(finding: Finding, ledger: Ledger) -> StudySection:
    problem = finding.problem
    objectives = known_objectives(problem)
    best = ranked(problem, finding.observed)
    compared = _compared(finding, ledger, best)
    ended = [one for one in finding.observed if one.state != "partial"]
    complete, shown = ([_in_percent(o, objectives) for o in every if o.state == "complete"] for every in (ended, best))
    drawn = _figures(finding, complete, shown) if complete else {}
    state, metric = standing(problem, ended, 0), _axis(objectives[0])
    return StudySection(problem.title, metric, state, drawn, tuple(compared), _difference(compared), tuple(shown[:20]))


def _unit(objective: Objective) -> float:
    """What a value is multiplied with to be shown: shares are percent, as on boards; seconds are seconds."""
    return 1.0 if objective.metric == SECONDS else 100.0


def _axis(objective: Objective) -> str:
    """The objective with its unit."""
    at = "" if objective.threshold is None else f"@{objective.threshold:g}"
    return f"{objective.metric}{at}" + ("" if objective.metric == SECONDS else ", %")


def _in_percent(one: Observed, objectives: Sequence[Objective]) -> Observed:
    shown = tuple(_unit(objective) * value for objective, value in zip(objectives, one.objectives, strict=True))
    return replace(one, objectives=shown)


def _figures(finding: Finding, complete: list[Observed], best: list[Observed]) -> dict[str, Any]:
    """The study's figures as HTML by heading, those left out that would say nothing; objectives as they are shown."""
    from markupsafe import Markup

    from suite.report.figures import fragment

    problem = finding.problem
    objectives = known_objectives(problem)
    metric = _axis(objectives[0])
    drawn: dict[str, Any] = {}
    for p in problem.space.parameters:
        drawn[f"{objectives[0].metric} against {p.name}"] = figures.against(problem, p, complete, metric)
    drawn |= figures.pairs(problem, complete, metric)
    drawn["All parameters"] = figures.parallel(problem, complete, metric)
    drawn["What matters"] = figures.importance(problem, complete)
    drawn["The course of the search"] = figures.history(problem, complete, metric)
    if len(objectives) > 1:
        drawn["Two objectives"] = figures.front(complete, [_axis(one) for one in objectives], best)
    name = "".join(c if c.isalnum() else "-" for c in problem.title)
    kept = {title: figure for title, figure in drawn.items() if figure is not None}
    return {title: Markup(fragment(f, f"{name}-{i}")) for i, (title, f) in enumerate(kept.items())}


def _compared(finding: Finding, ledger: Ledger, best: Sequence[Observed]) -> list[TrialRow]:
    """On test data: what validation chose, the method's defaults and the published optimum, where they were run."""
    problem = finding.problem
    defaults = problem.space.defaults()
    published = [p.params for p in problem.sweep.published if p.best]
    named: list[tuple[str, Observed]] = [("chosen on validation data", best[0])] if best else []
    named += [("the method's defaults", one) for one in best if one.settings == defaults]
    named += [("published optimum", one) for one in best if any(_at(one, params) for params in published)]
    return [_row(label, one, finding, ledger) for label, one in named]


def _at(one: Observed, params: dict[str, Any]) -> bool:
    return all(one.settings.get(name) == value for name, value in params.items())


def _row(label: str, one: Observed, finding: Finding, ledger: Ledger) -> TrialRow:
    objective = known_objectives(finding.problem)[0]
    at = pl.col("threshold").is_null()
    if objective.threshold is not None:
        at = (pl.col("threshold") - objective.threshold).abs() < 1e-6
    where = (pl.col("metric") == objective.metric) & (pl.col("label") == "") & at
    rows = ledger.metrics(one.runs).filter(where, split="test", selection="validation")
    found = dict(rows.select("run", "value").iter_rows())
    values = tuple(float(found[run]) for run in one.runs if run in found)
    scaled = tuple(_unit(objective) * value for value in values)
    chosen = f"{_unit(objective) * one.objectives[0]:.2f}"
    noted = marks(ledger.curves(one.runs))["mark"].value_counts(sort=True)
    notes = "".join(f"; {count} {mark}" for mark, count in noted.iter_rows())
    return TrialRow(label, in_words(one.settings), chosen, _interval(scaled) + notes, scaled)


def _interval(values: Sequence[float]) -> str:
    """A mean with its 95 % interval over runs; one run has none."""
    if not values:
        return "not reported"
    if len(values) == 1:
        return f"{values[0]:.2f} (one run: no interval)"
    summary = summarize(values)
    return f"{summary.mean:.2f} [{summary.low:.2f}, {summary.high:.2f}]"


def _difference(rows: Sequence[TrialRow]) -> str:
    """The chosen configuration against the defaults on test data, run by run."""
    others = [row for row in rows[1:] if row.label == "the method's defaults"]
    if not others or len(others[0].values) != len(rows[0].values) or not rows[0].values:
        return ""
    gains = [a - b for a, b in zip(rows[0].values, others[0].values)]
    if len(gains) == 1:
        return f"Chosen against defaults on test data: {gains[0]:+.2f} in one run, which says nothing about chance."
    summary = summarize(gains)
    verdict = "beyond chance" if summary.low > 0 or summary.high < 0 else "within what seeds do by themselves"
    interval = f"[{summary.low:+.2f}, {summary.high:+.2f}]"
    return f"Chosen against defaults on test data: {summary.mean:+.2f} {interval} over {len(gains)} runs, {verdict}."
