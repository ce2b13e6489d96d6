"""What is said of a run at its end: its numbers, where things lie, and what to try next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.cli.console import complain, emit, emit_json, say

if TYPE_CHECKING:
    from suite.method import Method
    from suite.places import Places
    from suite.results.ledger import Ledger
    from suite.spec.run import RunSpec

SHOWN = 12  # rows of the table
COLUMNS = ("validation", "last", "oracle")


def show(ledger: Ledger, run: str, method: type[Method], spec: RunSpec, places: Places, as_json: bool) -> None:
    """The numbers of ``run`` on test data by selection, as a table for people or all of them as JSON."""
    import polars as pl

    from suite.models.folder import kept_models
    from suite.presets import changes, preset_of
    from suite.results.marks import marks, sentences

    curves = ledger.curves([run])
    overall = ledger.metrics([run]).filter(pl.col("label") == "")
    rows = overall.sort("selection", "split", "metric")
    metrics = rows.select("selection", "split", "metric", "threshold", "value").to_dicts()
    model = kept_models(places).get(run)
    if as_json:
        settings = {"preset": preset_of(method, spec.params), "changed": changes(method, spec.params)}
        noted = {"marks": marks(curves)["mark"].to_list(), "metrics": metrics}
        lies = {"ledger": ledger.folder, "model": str(model.path) if model else None}
        emit_json({"run": run, **lies, "method": method.name, **settings, **noted})
        return
    table = by_metric(metrics, method.task)
    title = "on test data, by how the epoch was chosen"
    emit(table[:SHOWN], ("metric", *COLUMNS), False, title=title)
    say("oracle: the epoch was chosen on test data itself; no honest number.")
    for sentence in sentences(curves):
        complain(sentence)
    more = f", {len(table) - SHOWN} more numbers" if len(table) > SHOWN else ""
    say(f"run {run} is in the ledger {ledger.folder} with its predictions and curves")
    say(f"see all of it{more}: suite results show {run}")
    if model is not None:
        say(f"weights: {model.path}")


def by_metric(metrics: list[dict[str, Any]], task_name: str) -> list[dict[str, Any]]:
    """A row per metric of the test split with a column per selection: the headline first, then averages, then the
    rest."""
    from suite.tasks import task

    headline = task(task_name).headline
    found: dict[tuple[str, float | None], dict[str, Any]] = {}
    for row in metrics:
        if row["split"] == "test" and row["selection"] in COLUMNS:
            key = (row["metric"], row["threshold"])
            name = row["metric"] + (f" @ {row['threshold']:g}" if row["threshold"] is not None else "")
            found.setdefault(key, {"metric": name})[row["selection"]] = row["value"]
    order = sorted(found, key=lambda key: (key[0] != headline, key[1] is not None, key[0], key[1] or 0.0))
    return [found[key] for key in order]


def suggest(run: str, method: type[Method], spec: RunSpec, places: Places) -> None:
    """The next command to try."""
    from suite.models.folder import kept_models

    if run in kept_models(places):
        say(f"next: suite predict {run} FEATURES --to found.json, or another seed: --seed {spec.seed + 1}")
    else:
        say(f"next: suite results method {method.name}, or another seed: --seed {spec.seed + 1}")
