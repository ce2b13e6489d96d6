"""A synthetic leaderboard: known numbers in a ledger, with failures, missing runs, ceilings and two datasets."""

from __future__ import annotations

import json
from dataclasses import replace

from suite.registry import method
from suite.report.build import Content, gather
from suite.results.ledger import Ledger
from suite.results.schema import Outcome
from suite.spec.board import BoardRun, LeaderboardSpec
from suite.spec.run import RunSpec
from tests.results.ledgers import outcome

BOARD = LeaderboardSpec.model_validate(
    {
        "name": "synthetic",
        "title": "Synthetic <board>",
        "intro": "First & last.",
        "tables": [
            {
                "title": "One",
                "datasets": ["planted-verbs"],
                "methods": ["mask-bce", "ce", "focal", "label-smoothing", "full-label"],
                "seeds": 3,
                "metrics": ["top-set", "IoU@0.5", "recall"],
            },
            {"title": "Two", "datasets": ["planted-verbs[snr=3]"], "methods": ["mask-bce"], "seeds": 1},
        ],
    }
)
# Row to top-set on test data by seed; None: failed; "": never run.
ONE: dict[str, tuple] = {
    "mask-bce": (0.80, 0.82, 0.84),
    "ce": (0.60, 0.62, 0.61),
    "focal": (0.79, 0.83, 0.80),
    "label-smoothing": (None, 0.70, ""),
    "full-label": (0.95, 0.95, 0.95),
}


def metric_rows(value: float) -> list[dict]:
    """Test rows where choosing on test data would add 0.02."""
    rows = []
    for selection, gain in (("validation", 0.0), ("oracle", 0.02), ("last", -0.01)):
        base = {"split": "test", "selection": selection, "threshold": None}
        rows += [
            {**base, "metric": "top-set", "value": value + gain},
            {**base, "metric": "IoU", "threshold": 0.5, "value": value / 2},
            {**base, "metric": "AP", "label": "open", "value": value},
            {**base, "metric": "AP", "label": "close | shut", "value": value / 4},
        ]
    return rows


def made(name: str, seed: int, dataset: str, value: float | None) -> Outcome:
    """One synthetic outcome, failed where ``value`` is None."""
    base = outcome(name, seed, dataset, title=method(name).title, fingerprint="f00d", commit="c0ffee")
    if value is None:
        return base.failed("RuntimeError: <no> memory")
    return Outcome(base.run, metric_rows(value), base.curves, base.predictions)


def asked_and_outcomes() -> tuple[list[BoardRun], list[Outcome]]:
    """What the board asks for, and what became of it."""
    asked, outcomes = [], []
    cells = [(0, name, seed, value, {}) for name, values in ONE.items() for seed, value in enumerate(values)]
    for table, name, seed, value, dials in [*cells, (1, "mask-bce", 0, 0.5, {"snr": 3.0})]:
        dataset = "planted-verbs[snr=3]" if dials else "planted-verbs"
        params = method(name).resolve({"lr": 0.01})
        spec = RunSpec(method=name, dataset="planted-verbs", dials=dials, params=params, seed=seed, epochs=7)
        one = made(name, seed, dataset, 0.0 if value == "" else value)
        asked.append(BoardRun(spec, one.id, table, method(name).title, dataset))
        if value != "":
            outcomes.append(replace(one, run={**one.run, "params": json.dumps(params), "epochs": 7}))
    return asked, outcomes


def fill(folder) -> tuple[list[BoardRun], Ledger]:
    """The synthetic ledger in ``folder``."""
    asked, outcomes = asked_and_outcomes()
    ledger = Ledger(folder)
    ledger.record_all(outcomes)
    return asked, ledger


def content(folder) -> Content:
    """What the report of the synthetic ledger says."""
    asked, ledger = fill(folder)
    return gather(BOARD, asked, ledger)
