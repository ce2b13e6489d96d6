"""The rows of the ledger: of trained networks, of other post-processing, of predictions that are scored again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from suite.places import Places
from suite.registry import method as find_method
from suite.results.ledger import Ledger
from suite.results.provenance import provenance
from suite.results.schema import Outcome
from suite.runs import data_fingerprint, dataset_label, method_code, run_id
from suite.spec.base import canonical_json
from suite.spec.run import RunSpec
from suite.tasks import Metric, task
from suite.tasks.annotators import SELECTION
from suite.tasks.data import TaskData
from suite.train.selection import EVALUATED, Judged
from suite.train.training import Training
from suite.work.kept import record_or_keep
from suite.work.kept_models import keep_models_or_later
from suite.work.machine import Machine
from suite.work.preparation import Prepared


def run_row(spec: RunSpec, places: Places, machine: Machine, group: str, carried: str = "") -> dict[str, Any]:
    """The run's row of the ledger, but for its end.

    ``carried``: how the run is carried out, where that is not by itself or on the workers of ``machine``.
    """
    chosen = find_method(spec.method)
    known = provenance()
    hardware = {**json.loads(known["hardware"]), **machine.facts(), "precision": spec.precision}
    return {
        **known,
        "run": run_id(spec, places),
        "method": spec.method,
        "title": chosen.title,
        "task": chosen.task,
        "dataset": dataset_label(spec),
        "protocol": spec.protocol,
        "seed": spec.seed,
        "params": canonical_json(spec.params),
        "epochs": spec.epochs,
        "status": "finished",
        "started": datetime.now(UTC),
        "hardware": canonical_json(hardware),
        "code": method_code(spec),
        "fingerprint": data_fingerprint(spec, places),
        "group": group,
        "carried": carried or (f"workers:{machine.workers}" if machine.workers else "solo"),
    }


def outcome_of(run: dict[str, Any], prepared: Prepared, training: Training, complete: bool = True) -> Outcome:
    """The rows of a training that ended, or was stopped; an error, or nothing to select, makes it a failure."""
    trained = training.trained(complete)
    extra = {"complete": complete, "scores": trained.scores, "selected": trained.selected, "prepared": prepared}
    outcome = Outcome(run=run, extra=extra)
    if training.error is not None:
        return outcome.failed(str(training.error))
    if not trained.points:
        return outcome.failed(f"{prepared.method.name} took no evaluation point; give it epochs.")
    metrics, predictions = point_rows(trained.points, prepared.data)
    noted = [*coverage(prepared.data, trained.curves), *trained.curves]
    curves = [{name: value for name, value in point.items() if name != "phase_index"} for point in noted]
    return Outcome(run=run, metrics=metrics, curves=curves, predictions=predictions, extra=extra)


def coverage(data: TaskData[Any], curves: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A point before all others: how many classes the labelled samples never show, if any; they cannot be learnt."""
    missing = data.facts.get("missing_classes", [])
    if not missing or not curves:
        return []
    start = {**curves[0], "epoch": 0, "step": 0}
    return [{**start, "split": "analysis", "metric": "classes without a label", "value": float(len(missing))}]


def settle(outcome: Outcome, ledger: Ledger, places: Places) -> None:
    """Record ``outcome``, or keep it for later; only then may the checkpoint of a finished run go.

    The weights that it carries are written first: a run in the ledger has them already.
    """
    keep_models_or_later([outcome], places)
    record_or_keep(ledger, [outcome], places)
    if outcome.run["status"] == "finished":
        places.checkpoint(outcome.id).unlink(missing_ok=True)


def point_rows(points: Mapping[str, Judged], data: TaskData[Any]) -> tuple[list[dict[str, Any]], pa.Table]:
    """The rows of ``metrics`` and the table of predictions for the ``points`` of a run, by selection.

    Beside a run's numbers stand those of the test data's annotators, where there are several, each a selection.
    """
    metrics: list[dict[str, Any]] = []
    tables: list[pa.Table] = []
    for selection, point in points.items():
        for split in EVALUATED:
            metrics += metric_rows(point.metrics[split], split, selection)
            columns = task(data.task).to_rows(point.predictions[split], data.split(split))
            tables.append(_table(columns, split, selection))
    return metrics + people_rows(data), pa.concat_tables(tables, promote_options="default")


def people_rows(data: TaskData[Any]) -> list[dict[str, Any]]:
    """The rows of ``metrics`` for the annotators of the test split, each compared with the others; often none."""
    people = task(data.task).people(data)
    return [row for name, metrics in people.items() for row in metric_rows(metrics, "test", f"{SELECTION}{name}")]


def metric_rows(metrics: Iterable[Metric], split: str, selection: str) -> list[dict[str, Any]]:
    """One row of ``metrics`` per number that an evaluator returned."""
    return [{"split": split, "selection": selection, **vars(metric)} for metric in metrics]


def _table(columns: Mapping[str, Any], split: str, selection: str) -> pa.Table:
    named = {name: np.full(len(columns["item"]), value) for name, value in (("split", split), ("selection", selection))}
    return pa.table({**named, **columns})
