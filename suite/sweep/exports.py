"""A sweep for other programs: an Optuna storage for optuna-dashboard, event files for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from suite.errors import UsageError
from suite.places import Places
from suite.results.ledger import Ledger
from suite.spec.sweep import SweepSpec
from suite.sweep.history import Observed, known_objectives
from suite.sweep.problem import Problem
from suite.sweep.tuned import findings


def export_optuna(spec: SweepSpec, places: Places) -> Path:
    """Write what the ledger has of ``spec`` as an Optuna SQLite storage, anew; returns the file.

    A copy to look at: the sweep itself never reads it.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file = places.local / "sweeps" / spec.name / "optuna.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    for finding in findings(spec, places):
        objectives = known_objectives(finding.problem)
        study = optuna.create_study(
            storage=f"sqlite:///{file}",
            study_name=f"{spec.name}: {finding.problem.title}",
            directions=[objective.direction for objective in objectives],
        )
        study.set_metric_names([f"{objective.metric} (validation)" for objective in objectives])
        study.add_trials([_trial(finding.problem, one) for one in finding.observed if one.state != "partial"])
    return file


def _trial(problem: Problem, one: Observed) -> Any:
    from datetime import datetime

    from optuna.trial import TrialState, create_trial

    states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
    inside = problem.space.contains(one.settings)
    trial = create_trial(
        state=states[one.state],
        values=list(one.objectives) if one.state == "complete" else None,
        params=dict(one.settings) if inside else {},
        distributions=problem.space.distributions(one.settings) if inside else {},
        intermediate_values=dict(one.curve),
        user_attrs={"runs": list(one.runs), "error": one.error, **({} if inside else {"outside": one.settings})},
    )
    trial.datetime_start = datetime.fromtimestamp(one.started)
    trial.datetime_complete = datetime.fromtimestamp(one.started + one.seconds)
    return trial


def export_tensorboard(spec: SweepSpec, places: Places) -> Path:
    """Write the curves of every run of ``spec`` as TensorBoard event files, a folder per run; returns their folder."""
    try:
        from tensorboardX import SummaryWriter
    except ModuleNotFoundError:
        raise UsageError("TensorBoard files need tensorboardX; install weak-action-suite[tensorboard].") from None
    folder = places.local / "sweeps" / spec.name / "tensorboard"
    found = findings(spec, places)
    names = {run: (finding, one) for finding in found for one in finding.observed for run in one.runs}
    curves = Ledger(places.ledger).curves(names)
    for run, (finding, one) in names.items():
        rows = curves.filter(pl.col("run") == run)
        settings = ",".join(f"{k}={v}" for k, v in one.settings.items())
        with SummaryWriter(str(folder / finding.problem.title / f"{settings} {run[:6]}")) as writer:
            for split, metric, step, value in rows.select("split", "metric", "step", "value").iter_rows():
                writer.add_scalar(f"{split}/{metric}", value, step)
    return folder
