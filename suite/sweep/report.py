"""The page of a sweep: figures, the best trials, and the honest test score of what validation data chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from suite.evaluate.significance import summarize
from suite.places import Places
from suite.report.page import render
from suite.results.ledger import Ledger
from suite.spec.sweep import SweepSpec
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


def build_page(spec: SweepSpec, places: Places) -> Path:
    """Write ``<outputs>/reports/sweeps/<name>.html`` from what the ledger holds; returns the file."""
    ledger = Ledger(places.ledger)
    sections = tuple(_section(finding, ledger) for finding in findings(spec, places))
    content = SweepContent(spec, sections, datetime.now(UTC))
    file = places.local / "reports" / "sweeps" / f"{spec.name}.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(render("sweep.html.j2", content, settings=in_words), encoding="utf-8")
    return file


def _section(finding: Finding, ledger: Ledger) -> StudySection:
    problem = finding.problem
    complete = [one for one in finding.observed if one.state == "complete"]
    metric = known_objectives(problem)[0].metric
    best = ranked(problem, finding.observed)
    compared = _compared(finding, ledger, best)
    ended = [one for one in finding.observed if one.state != "partial"]
    drawn = _figures(finding, complete, best, metric) if complete else {}
    state = standing(problem, ended, 0)
    return StudySection(problem.title, metric, state, drawn, tuple(compared), _difference(compared), tuple(best[:20]))


def _figures(finding: Finding, complete: list[Observed], best: list[Observed], metric: str) -> dict[str, Any]:
    """The study's figures as HTML by heading, those left out that would say nothing."""
    from markupsafe import Markup

    from suite.report.figures import fragment

    problem = finding.problem
    drawn: dict[str, Any] = {}
    for p in problem.space.parameters:
        drawn[f"{metric} against {p.name}"] = figures.against(problem, p, complete, metric)
    drawn |= figures.pairs(problem, complete, metric)
    drawn["All parameters"] = figures.parallel(problem, complete, metric)
    drawn["What matters"] = figures.importance(problem, complete)
    drawn["The course of the search"] = figures.history(problem, complete, metric)
    metrics = [objective.metric for objective in known_objectives(problem)]
    if len(metrics) > 1:
        drawn["Two objectives"] = figures.front(complete, metrics, best)
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
    return TrialRow(label, in_words(one.settings), f"{one.objectives[0]:.4f}", _interval(values), values)


def _interval(values: Sequence[float]) -> str:
    """A mean with its 95 % interval over runs; one run has none."""
    if not values:
        return "not reported"
    if len(values) == 1:
        return f"{values[0]:.4f} (one run: no interval)"
    summary = summarize(values)
    return f"{summary.mean:.4f} [{summary.low:.4f}, {summary.high:.4f}]"


def _difference(rows: Sequence[TrialRow]) -> str:
    """The chosen configuration against the defaults on test data, run by run."""
    others = [row for row in rows[1:] if row.label == "the method's defaults"]
    if not others or len(others[0].values) != len(rows[0].values) or not rows[0].values:
        return ""
    gains = [a - b for a, b in zip(rows[0].values, others[0].values)]
    if len(gains) == 1:
        return f"Chosen against defaults on test data: {gains[0]:+.4f} in one run, which says nothing about chance."
    summary = summarize(gains)
    verdict = "beyond chance" if summary.low > 0 or summary.high < 0 else "within what seeds do by themselves"
    interval = f"[{summary.low:+.4f}, {summary.high:+.4f}]"
    return f"Chosen against defaults on test data: {summary.mean:+.4f} {interval} over {len(gains)} runs, {verdict}."
