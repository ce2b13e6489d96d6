"""The page of one run: what was asked, what came out, how it trained, where it was computed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from suite.method import Method
from suite.presets import changes, preset_of, selection_note
from suite.registry import methods
from suite.report import figures
from suite.report.aggregate import cumulative
from suite.report.facts import Setting, pairs, settings_of
from suite.report.links import Links, links
from suite.report.page import write_page
from suite.report.rows import SELECTIONS
from suite.results.given import SELECTION, is_given
from suite.results.ledger import Ledger
from suite.results.marks import sentences
from suite.tasks import task

if TYPE_CHECKING:
    from markupsafe import Markup
    from plotly.graph_objects import Figure

FOLDER = "runs"  # below the folder of reports
METHODS = "methods"  # pages of methods, there too
MOST = 300  # pages written at once: some ten seconds
GIVEN = "How the epoch was chosen is not known: these are predictions made elsewhere, and scored here."
DEFAULTS = {"protocol": "default", "precision": "float32"}


@dataclass(frozen=True)
class RunContent:
    """Everything the page says; ``examples``: heading to a drawn example of what the run predicted.

    ``page``: the address of its method's page, where the method is known; ``model``: that of the card of its weights,
    where these are kept.
    """

    row: Mapping[str, Any]
    command: str
    preset: str
    paper: str
    links: Links
    page: str
    notes: tuple[str, ...]
    overall: tuple[dict[str, Any], ...]
    classes: tuple[dict[str, Any], ...]
    settings: tuple[Setting, ...]
    facts: tuple[tuple[str, str], ...]
    curves: str
    examples: Mapping[str, str]
    model: str = ""


def write_runs(ledger: Ledger, runs: Collection[str], reports: Path) -> int:
    """Write a page for each of ``runs`` that is in the ledger and has none below ``reports``; returns how many.

    A run that is recorded anew (another attempt) gets a new page. Of many the newest are written; the others when
    their turn comes, or by ``suite results page``.
    """
    folder = reports / FOLDER
    rows = ledger.runs().filter(pl.col("run").is_in(sorted(set(runs))))
    newest = rows.reverse().iter_rows(named=True)
    wanting = (row for row in newest if not _current(folder / f"{row['run']}.html", row["attempt"]))
    missing = list(islice(wanting, MOST))
    wanted = [row["run"] for row in missing]
    if not wanted:
        return 0
    metrics, curves = _by_run(ledger.metrics(wanted)), _by_run(ledger.curves(wanted))
    for row in missing:
        write_run(row, metrics.get(row["run"]), curves.get(row["run"]), reports)
    return len(wanted)


def write_run(
    row: Mapping[str, Any],
    metrics: pl.DataFrame | None,
    curves: pl.DataFrame | None,
    reports: Path,
    examples: Mapping[str, str] | None = None,
    single: bool = False,
) -> Path:
    """Write the page of one run (its row, metrics and curves as the ledger has them); returns the file."""
    card = f"models/{row['run']}/README.md"
    kept = f"../../{card}" if (reports.parent / card).is_file() else ""
    content = replace(describe(row, metrics, curves, examples or {}), model=kept)
    return write_page(reports / FOLDER / f"{row['run']}.html", "run.html.j2", content, single, safe=_safe)


def _safe(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(text)


def _current(file: Path, attempt: str) -> bool:
    """Whether ``file`` is the page of this attempt."""
    if not file.is_file():
        return False
    with file.open(encoding="utf-8") as lines:
        return f'name="attempt" content="{attempt}"' in lines.read(600)


def _by_run(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {str(run): part for (run,), part in frame.partition_by("run", as_dict=True, maintain_order=True).items()}


def describe(
    row: Mapping[str, Any],
    metrics: pl.DataFrame | None,
    curves: pl.DataFrame | None,
    examples: Mapping[str, str],
) -> RunContent:
    """What the page says of a run; a method that is no longer registered is shown by its name alone."""
    chosen, params = methods().get(row["method"]), json.loads(row["params"] or "{}")
    note = selection_note(chosen, params) if chosen else ""
    found = sentences(curves) if curves is not None else []
    return RunContent(
        row=row,
        command=command(row, chosen, params),
        preset=preset_of(chosen, params) if chosen else "",
        paper=chosen.paper if chosen else "",
        links=links(chosen) if chosen else Links(),
        page=f"../{METHODS}/{chosen.name}.html" if chosen else "",
        notes=(*([f"{note}."] if note else []), *([GIVEN] if is_given(row["method"]) else []), *found),
        overall=tuple(_overall(metrics)),
        classes=tuple(_classes(metrics)),
        settings=settings_of(chosen, params),
        facts=tuple(_facts(row)),
        curves=_curves(row, curves),
        examples=examples,
    )


def command(row: Mapping[str, Any], chosen: type[Method] | None, params: Mapping[str, Any]) -> str:
    """The command that trains this run, with what differs from the preset alone; for a file, that scores it."""
    if is_given(row["method"]):
        words = ["suite", "results", "add", str(params.get("file", "FILE")), "--dataset", row["dataset"]]
        words += ["--label", row["title"], "--protocol", row["protocol"], "--seed", str(row["seed"])]
        return shlex.join(words)
    preset = preset_of(chosen, params) if chosen else ""
    words = ["suite", "train", row["method"], row["dataset"], "--seed", str(row["seed"])]
    words += ["--preset", preset] if preset and chosen and preset != chosen.default_preset() else []
    words += ["--epochs", str(row["epochs"])] if row["epochs"] else []
    words += ["--protocol", row["protocol"]] if row["protocol"] != DEFAULTS["protocol"] else []
    precision = json.loads(row["hardware"] or "{}").get("precision", DEFAULTS["precision"])
    words += ["--precision", precision] if precision != DEFAULTS["precision"] else []
    changed = changes(chosen, params) if chosen else params
    for name, value in changed.items():
        words += ["--set", f"{name}={_written(value)}"]
    return shlex.join(words)


def _written(value: Any) -> str:
    """A value as ``--set`` reads it, to the last digit."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _overall(metrics: pl.DataFrame | None) -> list[dict[str, Any]]:
    """One line per split, metric and threshold, with a value per selection."""
    if metrics is None:
        return []
    rows = metrics.filter(pl.col("label") == "").unique(["split", "metric", "threshold", "selection"], keep="last")
    wide = rows.pivot("selection", index=["split", "metric", "threshold"], values="value", maintain_order=True)
    return wide.sort("split", "metric", "threshold", nulls_last=False).to_dicts()


def _classes(metrics: pl.DataFrame | None) -> list[dict[str, Any]]:
    """One line per class and metric on test data, as validation chose the epoch; the mean over thresholds."""
    if metrics is None:
        return []
    chosen = metrics.filter(
        (pl.col("label") != "") & (pl.col("split") == "test") & pl.col("selection").is_in([SELECTIONS[0], SELECTION])
    )
    means = chosen.group_by("label", "metric", maintain_order=True).agg(pl.col("value").mean())
    return means.sort("metric", "value", descending=[False, True]).to_dicts()


def _facts(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where and when the run was computed, as pairs of words."""
    shown = {
        "Run": row["run"],
        "Status": row["status"],
        "Error": row["error"],
        "Asked by": row["group"],
        "Started": row["started"].strftime("%Y-%m-%d %H:%M:%S UTC"),
        "Seconds": f"{row['seconds']:.1f}",
        "Memory": "" if row["memory"] is None else f"{row['memory']:.2f} GiB at most",
        "Carried out": row["carried"],
        "Data": row["fingerprint"],
        "Code": row["code"],
        "Commit": row["commit"],
        "Hardware": pairs(row["hardware"] or "{}"),
        "Libraries": pairs(row["versions"] or "{}"),
    }
    return [(name, str(text)) for name, text in shown.items() if text]


def _curves(row: Mapping[str, Any], curves: pl.DataFrame | None) -> str:
    """The run's curves as a figure, or nothing."""
    figure = None if curves is None or curves.is_empty() else curves_figure(row, curves)
    return "" if figure is None else figures.fragment(figure, "curves")


def curves_figure(row: Mapping[str, Any], curves: pl.DataFrame) -> Figure | None:
    """The ``curves`` of the run of a ``row`` of the ledger as a figure; None where there is nothing to draw."""
    value = pl.col("value")
    drawn = (
        cumulative(curves)
        .filter(value.is_finite())
        .with_columns(
            pl.lit(row["method"]).alias("row"),
            value.alias("mean"),
            value.alias("least"),
            value.alias("greatest"),
            pl.lit(1).alias("seeds"),
        )
    )
    return figures.learning([row["method"]], task(row["task"]).headline, drawn)
