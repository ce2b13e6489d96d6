"""Pages of ledgers that have little, odd or unlike things in them: sensible, and never a silent average."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from suite.registry import method
from suite.report import tables
from suite.report.build import gather, write
from suite.report.index import refresh
from suite.results.ledger import Ledger
from suite.results.schema import ADDED, TABLES, to_table
from suite.spec.board import BoardRun, LeaderboardSpec
from suite.spec.run import RunSpec
from tests.report import synthetic

DATASET = "planted-verbs"


def board(protocols=("default",), seeds=3):
    shown = [
        {
            "title": f"Under {name}",
            "datasets": [DATASET],
            "methods": ["mask-bce", "ce"],
            "seeds": seeds,
            "protocol": name,
        }
        for name in protocols
    ]
    return LeaderboardSpec.model_validate({"name": "odd", "title": "Odd", "tables": shown})


def asked(protocols=("default",), seeds=3):
    runs = []
    for table, protocol in enumerate(protocols):
        for name in ("mask-bce", "ce"):
            params = method(name).resolve({})
            for seed in range(seeds):
                spec = RunSpec(method=name, dataset=DATASET, params=params, seed=seed, protocol=protocol)
                runs.append(BoardRun(spec, f"{name}-{protocol}-{seed}", table, method(name).title, DATASET))
    return runs


def done(one, value):
    """The outcome of a run asked for; None: failed."""
    made = synthetic.made(one.spec.method, one.spec.seed, DATASET, value)
    row = {"run": one.run, "protocol": one.spec.protocol, "params": json.dumps(one.spec.params)}
    return replace(made, run={**made.run, **row})


def built(runs, ledger, folder, spec=None):
    """The content, and the words of its page."""
    content = gather(spec or board(), runs, ledger)
    page = write(content, folder / "reports" / "odd").read_text(encoding="utf-8")
    refresh(folder / "reports", ledger)
    return content, re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)


def undefined(page):
    """Numbers that are none, as Python or JavaScript would write them."""
    return re.findall(r"\b(?:nan|NaN|inf|Infinity)\b", page)


def test_an_empty_ledger(tmp_path):
    content, page = built(asked(), Ledger(tmp_path / "ledger"), tmp_path)
    assert "Nothing is known yet" in page and "not run yet" in page and not undefined(page)
    assert content.finished == 0 and all(row.finished == 0 for row in content.sections[0].view.rows)


def test_runs_without_the_headline_are_no_empty_table(tmp_path):
    runs, ledger = asked(), Ledger(tmp_path / "ledger")
    ledger.record_all([done(one, float("nan")) for one in runs])
    _, page = built(runs, ledger, tmp_path)
    assert "None of these runs measures" in page and "Nothing is known yet" not in page


def test_one_run(tmp_path):
    runs, ledger = asked(), Ledger(tmp_path / "ledger")
    ledger.record(done(runs[0], 0.5))
    content, page = built(runs, ledger, tmp_path)
    assert "no other method has a number, of the runs that have finished" in page and "1 of 3" in page
    assert "±" not in tables.plain(content.sections[0].view.rows[0].cells[0]) and not undefined(page)


def test_one_seed(tmp_path):
    runs, ledger = asked(seeds=1), Ledger(tmp_path / "ledger")
    ledger.record_all([done(one, 0.5 + place / 10) for place, one in enumerate(runs)])
    content, page = built(runs, ledger, tmp_path, board(seeds=1))
    assert "a single seed cannot tell it from the others" in page and "One seed says nothing about noise" in page
    assert not any(cell.best or cell.near for row in content.sections[0].view.rows for cell in row.cells)


def test_values_that_are_not_defined_stand_in_no_mean(tmp_path):
    runs, ledger = asked(), Ledger(tmp_path / "ledger")
    ledger.record_all([done(one, float("nan") if place == 0 else 0.5) for place, one in enumerate(runs)])
    content, page = built(runs, ledger, tmp_path)
    first = next(row for row in content.sections[0].view.rows if row.method == "mask-bce")
    assert first.cells[0].values == (0.5, 0.5) and not undefined(page)
    numbers = pl.read_parquet(tmp_path / "reports" / "odd" / "numbers.parquet")
    assert numbers["mean"].is_finite().all()


def test_a_method_that_is_nowhere_defined_is_no_result(tmp_path):
    runs, ledger = asked(), Ledger(tmp_path / "ledger")
    nowhere = [float("nan") if one.spec.method == "ce" else 0.5 + one.spec.seed / 100 for one in runs]
    ledger.record_all([done(one, value) for one, value in zip(runs, nowhere)])
    content, page = built(runs, ledger, tmp_path)
    last = content.sections[0].view.rows[-1]
    assert last.method == "ce" and not last.cells[0].values and not undefined(page)
    assert "no other method has a number" in page


def test_failed_runs_are_named_and_count_for_nothing(tmp_path):
    runs, ledger = asked(), Ledger(tmp_path / "ledger")
    ledger.record_all([done(one, None) for one in runs])
    content, page = built(runs, ledger, tmp_path)
    assert content.failed == 6 and "6 failed runs" in page and "RuntimeError: &lt;no&gt; memory" in page
    assert "Nothing is known yet" in page


def test_protocols_never_share_a_mean(tmp_path):
    protocols = ("default", "confirmed")
    runs, ledger = asked(protocols), Ledger(tmp_path / "ledger")
    ledger.record_all([done(one, 0.9 if one.spec.protocol == "confirmed" else 0.5) for one in runs])
    content, page = built(runs, ledger, tmp_path, board(protocols))
    means = [[row.cells[0].summary.mean for row in section.view.rows] for section in content.sections]
    assert means == [pytest.approx([0.5, 0.5]), pytest.approx([0.9, 0.9])]
    assert not content.across  # two protocols on one dataset are no two datasets
    assert 'data-protocol="default"' in page and 'data-protocol="confirmed"' in page


@pytest.mark.parametrize("version", [1, 2])
def test_runs_of_an_older_schema_stand_beside_new_ones(version, tmp_path):
    runs, folder = asked(), Path(tmp_path / "ledger")
    lacking = list(ADDED["runs"])[version - 1 :]
    for name, schema in TABLES.items():
        older = pa.schema([field for field in schema if field.name not in lacking])
        described = f"ledger of the weak-action-suite, schema {version}"
        DeltaTable.create(str(folder / name), older, description=described)
        for place, one in enumerate(done(run, 0.5) for run in runs[:3]):
            rows = [{**one.run, "schema": version}] if name == "runs" else getattr(one, name)
            table = to_table(name, rows, one.id, f"a{place}").select(older.names)
            write_deltalake(str(folder / name), table, mode="append")
    ledger = Ledger(folder)
    before, _ = built(runs, ledger, tmp_path)
    assert before.finished == 3 and not before.sections[0].view.weighed
    ledger.record_all([replace(one, run={**one.run, "memory": 0.25}) for one in (done(run, 0.6) for run in runs[3:])])
    content, page = built(runs, ledger, tmp_path)
    rows = {row.method: row for row in content.sections[0].view.rows}
    assert content.finished == 6 and rows["mask-bce"].cells[0].values == (0.5, 0.5, 0.5)
    assert (rows["mask-bce"].memory, rows["ce"].memory) == (None, 0.25) and "0.25" in page
