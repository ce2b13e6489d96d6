"""The page of one method: what it is, its parameters, its results, its claims, and how its numbers moved in time."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from suite.analyse.method_facts import Request, requests, scored_runs
from suite.claims.page import VERDICTS
from suite.claims.plan import find_claims
from suite.errors import SuiteError
from suite.hyper import Hyper
from suite.method import Method
from suite.presets import value_text
from suite.registry import method
from suite.report.figures import COLOURS, blank, fragment
from suite.report.index import About, counts, leave
from suite.report.links import links
from suite.report.page import write_page
from suite.report.rows import run_pages
from suite.report.run_page import FOLDER as RUNS
from suite.report.run_page import METHODS
from suite.report.tables import number
from suite.report.versions import Version, change, short, value
from suite.results.ledger import Ledger
from suite.sealing import checked
from suite.spec.claim import Claim
from suite.tasks import task

if TYPE_CHECKING:
    from markupsafe import Markup

ROLE = re.compile(r":\w+:`~?(?:[\w.]*\.)?(\w+)`|``([^`]*)``")  # marks of docstrings


@dataclass(frozen=True)
class Parameter:
    """One declared parameter, with its value in each preset (those that the preset leaves alone are blank)."""

    name: str
    declared: Hyper
    default: str
    presets: tuple[str, ...]

    @property
    def span(self) -> str:
        """What values it may have, where that is declared."""
        if self.declared.choices:
            return ", ".join(map(value_text, self.declared.choices))
        return self.declared.span if (self.declared.low, self.declared.high) != (None, None) else ""


@dataclass(frozen=True)
class ClaimLine:
    """A claim in which the method stands for its mechanism, and what its runs said when they were last asked."""

    name: str
    sentence: str
    place: str
    verdict: str
    why: str
    made: str


@dataclass(frozen=True)
class MethodContent:
    """Everything the page says; ``pages`` leads from a run to the address of its page."""

    method: type[Method]
    task: str
    headline: str
    idea: tuple[str, ...]
    presets: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    requests: tuple[Request, ...]
    claims: tuple[ClaimLine, ...]
    pages: Mapping[str, str]
    made: datetime

    @property
    def moved(self) -> list[Request]:
        """Requests that several versions of code or data answered with numbers."""
        return [one for one in self.requests if sum(bool(version.values) for version in one.versions) > 1]


def write_methods(names: Collection[str], ledger: Ledger, reports: Path, single: bool = False) -> list[Path]:
    """Write the page of each method of ``names`` below ``reports``; returns the files, in the order of the names.

    Raises :class:`UsageError` for an unknown method, :class:`SuiteError` where a page cannot be written.
    """
    chosen = [method(name) for name in sorted(set(names))]
    scored = scored_runs(ledger, [one.name for one in chosen])
    claims = find_claims(())
    return [_write(describe(one, scored, claims, reports), reports, single) for one in chosen]


def _write(content: MethodContent, reports: Path, single: bool) -> Path:
    file = reports / METHODS / f"{content.method.name}.html"
    drawn = [_history(one, place) for place, one in enumerate(content.moved)]
    helpers = {"drawn": drawn, "value": value, "interval": _interval, "change": change, "short": short, "links": links}
    try:
        write_page(file, "method.html.j2", content, single, **helpers)
        leave(file, _about(content))
    except OSError as error:
        raise SuiteError(
            f"cannot write the page of a method to {file}: {error.strerror}; choose another --out."
        ) from error
    return file


def describe(chosen: type[Method], scored: pl.DataFrame, claims: Sequence[Claim], reports: Path) -> MethodContent:
    """What the page says of a method; ``scored`` are the ledger's runs of it, ``claims`` those about it, at least."""
    found = requests(scored, chosen.name, chosen)
    runs = [run for one in found for version in one.versions for _, run, _ in version.runs]
    return MethodContent(
        method=chosen,
        task=chosen.task,
        headline=task(chosen.task).headline,
        idea=_idea(chosen),
        presets=tuple(chosen.presets),
        parameters=tuple(_parameters(chosen)),
        requests=tuple(found),
        claims=tuple(_claims(chosen.name, claims, reports / "claims" / VERDICTS)),
        pages=run_pages(runs, reports / RUNS, f"../{RUNS}/"),
        made=datetime.now(UTC),
    )


def _idea(chosen: type[Method]) -> tuple[str, ...]:
    """The paragraphs of the class's own docstring."""
    text = inspect.cleandoc(vars(chosen).get("__doc__") or "")
    text = ROLE.sub(lambda found: found[1] or found[2], text)
    return tuple(" ".join(part.split()) for part in text.split("\n\n") if part.strip())


def _parameters(chosen: type[Method]) -> list[Parameter]:
    return [
        Parameter(
            name,
            declared,
            value_text(declared.default),
            tuple(value_text(given[name]) if name in given else "" for given in chosen.presets.values()),
        )
        for name, declared in chosen.hypers.items()
        if name != "preset"
    ]


def _claims(name: str, claims: Sequence[Claim], file: Path) -> list[ClaimLine]:
    """Those of ``claims`` that are about a method, with the verdicts that ``suite claims`` left in ``file``."""
    try:
        known = checked(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        known = {}
    lines = []
    for claim in claims:
        if claim.method.method != name:
            continue
        said = known.get(claim.name, {})
        verdict, why, made = (str(said.get(key, "")) for key in ("kind", "why", "made"))
        lines.append(ClaimLine(claim.name, claim.sentence, f"{claim.paper}, {claim.place}", verdict, why, made))
    return lines


def _about(content: MethodContent) -> About:
    """What the index of pages says of this one."""
    runs = sum(len(version.runs) for one in content.requests for version in one.versions)
    datasets = len({one.dataset for one in content.requests})
    tally = counts([(runs, "runs"), (datasets, "datasets" if datasets > 1 else "dataset")]) or "no runs"
    return About("method", content.method.title, f"{content.made:%Y-%m-%d %H:%M} UTC", f"{content.task}, {tally}")


def _interval(version: Version) -> str:
    summary = version.summary
    return f"{number(summary.low)} to {number(summary.high)}" if summary.count > 1 else ""


def _history(one: Request, place: int) -> Markup:
    """The headline of each version in the order of time: seeds as dots, means joined."""
    from markupsafe import Markup

    known: Sequence[Version] = [version for version in one.versions if version.values]
    figure = blank(260, showlegend=False, yaxis_title="%")
    names = [f"{version.started:%Y-%m-%d %H:%M} {short(version.code)}" for version in known]
    every = [(name, 100 * one) for name, version in zip(names, known) for one in version.values.values()]
    dots = {"color": COLOURS[0], "size": 8, "opacity": 0.6}
    figure.add_scatter(x=[x for x, _ in every], y=[round(y, 3) for _, y in every], mode="markers", marker=dots)
    means = [round(100 * version.summary.mean, 3) for version in known]
    figure.add_scatter(x=names, y=means, mode="lines", line={"color": COLOURS[0]}, hoverinfo="skip")
    figure.update_xaxes(type="category")
    return Markup(fragment(figure, f"history-{place}"))
