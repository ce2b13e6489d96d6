"""Which trial a row shows: its own validation data's choice, by the metric that chooses epochs."""

from __future__ import annotations

import polars as pl

from suite.registry import method
from suite.report import aggregate
from suite.report.build import gather, write
from suite.report.trials import chosen_only, trials
from suite.results.ledger import Ledger
from suite.results.schema import Outcome
from suite.spec.board import BoardRun, LeaderboardSpec
from suite.spec.run import RunSpec
from suite.tasks import task
from tests.results.ledgers import outcome

BOARD = LeaderboardSpec.model_validate(
    {
        "name": "tried",
        "title": "Tried",
        "tables": [
            {
                "title": "One",
                "datasets": ["planted-verbs"],
                "methods": ["ce", "focal", "mask-bce"],
                "seeds": 2,
                "trials": [{"lr": 0.001}, {"lr": 0.01}, {"lr": 0.1}],
                "metrics": ["top-set"],
            }
        ],
    }
)
# Validation and test value by trial and seed; None: the run failed. Test data alone would choose otherwise.
TRIED = {
    "ce": [[(0.5, 0.9), (0.5, 0.9)], [(0.6, 0.3), (0.7, 0.4)], [(0.6, 0.8), (0.6, 0.8)]],
    "focal": [[(0.2, 0.2), (0.2, 0.3)], [(0.9, 0.9), None], [(0.2, 0.4), (0.2, 0.5)]],
    "mask-bce": [[(0.3, 0.6), (0.5, 0.8)]],
}


def filled(folder) -> tuple[list[BoardRun], Ledger]:
    by = task("recognition").chosen_by
    asked, outcomes = [], []
    for name, tried in TRIED.items():
        for trial, seeds in enumerate(tried):
            for seed, values in enumerate(seeds):
                params = method(name).resolve({"lr": (0.001, 0.01, 0.1)[trial]})
                spec = RunSpec(method=name, dataset="planted-verbs", params=params, seed=seed)
                made = outcome(name, seed, "planted-verbs", run=f"{name}-{trial}-{seed}")
                rows = [] if values is None else numbers(by, *values)
                outcomes.append(Outcome(made.run, rows) if values else made.failed("diverged"))
                asked.append(BoardRun(spec, made.id, 0, method(name).title, "planted-verbs", trial=trial))
    ledger = Ledger(folder)
    ledger.record_all(outcomes)
    return asked, ledger


def numbers(by: str, validation: float, test: float) -> list[dict]:
    base = {"selection": "validation", "threshold": None, "label": ""}
    return [
        {**base, "split": "validation", "metric": by, "value": validation},
        {**base, "split": "test", "metric": "top-set", "value": test},
        {**base, "split": "test", "metric": "top-set", "selection": "oracle", "value": test},
    ]


def test_validation_chooses_and_a_trial_that_lacks_seeds_yields(tmp_path) -> None:
    asked, ledger = filled(tmp_path)
    runs = {one.run for one in asked}
    frame = aggregate.asked_frame(asked, ledger.runs())
    found = trials(frame, aggregate.values(frame, ledger.metrics(runs), "validation"))
    chosen = dict(found.filter("chosen").select("row", "trial").iter_rows())
    titles = {name: method(name).title for name in TRIED}
    # ce: the second, though the first is best on test data. focal: the first of two equals; the second lost a seed.
    assert chosen == {titles["ce"]: 1, titles["focal"]: 0, titles["mask-bce"]: 0}
    assert found["values"].to_list()[:2] == [[0.5, 0.5], [0.6, 0.7]]
    kept = chosen_only(frame, found)
    assert kept.group_by("row").len()["len"].to_list() == [2, 2, 2]


def test_a_table_shows_the_chosen_trials_alone(tmp_path) -> None:
    asked, ledger = filled(tmp_path)
    content = gather(BOARD, asked, ledger)
    cells = {row.method: row.cells[0].values for row in content.sections[0].view.rows}
    assert cells == {"ce": (0.3, 0.4), "focal": (0.2, 0.3), "mask-bce": (0.6, 0.8)}
    assert content.asked == len(asked) and content.failed == 1
    (section,) = content.sections
    by = task("recognition").chosen_by
    assert section.trials[0] == ["Method", "Trial", "Seeds", f"{by}, validation", "top-set, test", ""]
    assert section.trials[2] == ["CE", "lr=0.01", "2 of 2", "65.0 (60.0 70.0)", "35.0 (30.0 40.0)", "chosen"]
    assert section.trials[5] == ["Focal", "lr=0.01", "1 of 2", "90.0 (90.0)", "90.0 (90.0)", ""]
    assert section.cost == "13 runs, 0.4 minutes of computing, 0.2 of them in trials that were not chosen"
    page = write(content, tmp_path / "page").read_text()
    assert "Every trial" in page and "lr=0.01" in page and section.cost in page
    assert "| CE | lr=0.01 | 2 of 2 |" in (tmp_path / "page" / "report.md").read_text()
    assert [s.value for one in content.used for s in one.settings if s.name == "lr" and one.method == "ce"] == ["0.01"]


def test_without_a_run_the_first_trial_stands_for_its_row(tmp_path) -> None:
    asked, _ = filled(tmp_path / "full")
    frame = aggregate.asked_frame(asked, Ledger(tmp_path / "empty").runs())
    found = trials(frame, aggregate.values(frame, Ledger(tmp_path / "empty").metrics(), "validation"))
    assert found.filter("chosen")["trial"].to_list() == [0, 0, 0]
    assert found["mean"].null_count() == len(found) and found.schema["chosen"] == pl.Boolean
