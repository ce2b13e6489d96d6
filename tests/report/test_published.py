"""Printed numbers beside ours."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from suite.errors import DataError, UsageError
from suite.report import aggregate
from suite.report.published import COLUMNS, Published, compare, load_published, verdict
from suite.spec.board import MetricKey
from tests.report import synthetic


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ((60.0, 61.0, 62.0), 61.5, "within noise"),
        ((60.0, 61.0, 62.0), 70.0, "below"),
        ((60.0, 61.0, 62.0), 50.0, "above"),
        ((61.0,), 61.0, "not comparable"),
        ((61.04, 61.04), 61.0, "within noise"),  # equal as printed
    ],
)
def test_verdict(ours, theirs, expected):
    assert verdict(ours, theirs) == expected


def printed(**changes):
    base = {
        "paper": "p", "table": "2", "row": "Mask BCE", "method": "mask-bce", "dataset": "planted-verbs",
        "protocol": "default", "key": MetricKey("top-set"), "value": 82.5,
    }  # fmt: skip
    return Published(**{**base, **changes})


def test_only_equal_data_and_protocol_are_compared(tmp_path):
    section = synthetic.content(tmp_path).sections[0]
    asked, ledger = synthetic.fill(tmp_path / "again")
    found = aggregate.values(aggregate.asked_frame(asked, ledger.runs()), ledger.metrics())
    found, real = found.filter(pl.col("table") == 0), replace(section.view, kind="real")
    cells = [
        printed(),
        printed(protocol="other"),
        printed(dataset="planted-verbs[snr=3]"),
        printed(dataset="yeast"),
        printed(method="npl"),
        printed(key=MetricKey("nothing")),
    ]
    compared = compare(real, found, cells)
    assert [one.verdict for one in compared] == [
        "within noise",
        "different protocol",
        "not comparable",
        "not comparable",
    ]
    assert compared[0].difference == pytest.approx(82.0 - 82.5) and compared[1].difference is None
    assert compared[3].ours is None
    planted = compare(section.view, found, cells[:1])
    assert planted[0].verdict == "not comparable" and planted[0].difference is None


def test_files_of_published_numbers(tmp_path):
    head = ",".join(COLUMNS)
    rows = [
        "mm22,2,Mask BCE,mask-bce,epic,default,top-set,,39.1,",
        "mm22,3,AN,assume-negative,epic,default,IoU,0.5,20,x",
    ]
    (tmp_path / "mm22.csv").write_text("\n".join([head, *rows, "mm22,3,?,x,epic,default,IoU,,,blank cell"]))
    both, one = load_published(["mm22"], tmp_path), load_published(["mm22/3"], tmp_path)
    assert [cell.value for cell in both] == [39.1, 20.0] and one[0].key == MetricKey("IoU", 0.5)
    with pytest.raises(UsageError, match="did you mean 'mm22'"):
        load_published(["mm21"], tmp_path)
    (tmp_path / "bad.csv").write_text(f"{head}\nbad,1,a,b,c,d,e,,many,\n")
    with pytest.raises(DataError, match="line 2: 'many'"):
        load_published(["bad"], tmp_path)
    (tmp_path / "short.csv").write_text("paper,value\n")
    with pytest.raises(DataError, match="has no column"):
        load_published(["short"], tmp_path)
