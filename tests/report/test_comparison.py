"""Printed numbers beside ours: which run belongs to which cell, and what is said of the difference."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from suite.report import aggregate
from suite.report.comparison import compare, verdict
from suite.report.matching import Cells, command, differences, key_of, wanted
from suite.report.published import Published, load_published
from suite.runs import resolve_run
from suite.spec.board import MetricKey
from tests.report import synthetic

ASL = load_published(["action_selection/Table 1"])
DATA = "thumos-14[validation=test]"


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ((60.0, 61.0, 62.0), 61.5, "within interval [56.0, 66.0]"),
        ((60.0, 61.0, 62.0), 70.0, "below by 9.0 [4.0, 14.0]"),
        ((60.0, 61.0, 62.0), 50.0, "above by 11.0 [6.0, 16.0]"),
        ((61.0,), 61.0, "one seed: no interval"),
        ((61.04, 61.04), 61.0, "within interval [61.0, 61.1]"),  # equal as printed
    ],
)
def test_verdict(ours, theirs, expected):
    assert verdict(ours, theirs) == expected


def printed(**changes):
    base = {
        "paper": "p", "table": "2", "row": "Mask BCE", "method": "mask-bce", "dataset": "planted-verbs",
        "protocol": "default", "key": MetricKey("top-set"), "value": 82.5, "params": "lr=0.01",
    }  # fmt: skip
    return Published(**{**base, **changes})


def asl(dataset=DATA, protocol="212", **params):
    return resolve_run("action-selection", dataset, {"preset": "published", **params}, protocol=protocol)


@pytest.mark.parametrize(
    ("params", "row", "average"),
    [
        ({}, "ASL (ours)", 32.2),
        ({"localize_by": "class"}, "ASL-s", 24.0),
        ({"localize_by": "actionness"}, "ASL-a", 30.4),
        ({"target_loss": "bce"}, "ASL-BCE", 31.6),
    ],
)
def test_each_ablation_stands_beside_its_own_number(params, row, average):
    spec = asl(**params)
    found = Cells(ASL).beside(spec)
    assert {cell.row for cell in found} == {row}
    assert next(cell.value for cell in found if cell.key == MetricKey("mAP")) == average
    assert all(differences(cell, spec) == [] for cell in found)
    assert {key_of(one) for cell in found for one in wanted(cell)} == {key_of(spec)}


def test_a_setting_that_the_paper_did_not_use_is_said_in_words():
    spec = asl("thumos-14", "210", preset="recommended")
    (cell,) = (cell for cell in Cells(ASL).beside(spec) if cell.key == MetricKey("mAP"))
    assert cell.row == "ASL (ours)"
    assert differences(cell, spec) == [
        "150 of the 200 training videos, epochs chosen on the other 50, in print all 200 training videos, epochs "
        "chosen on the test videos",
        "protocol 210, in print 212",
        "warm_epochs=10, in print 0",
    ]
    many = asl(lr=0.1, hidden=8, batch=4, positions=90, epochs=3, divisor=2)
    assert differences(cell, many)[-1] == "2 more settings"
    short = resolve_run("action-selection", DATA, {"preset": "published"}, protocol="212", epochs=3)
    assert differences(cell, short) == ["3 epochs instead of the method's own number"]


def test_a_setting_that_no_cell_is_about_stands_beside_none():
    cells = load_published(["action_selection"])
    rows = {cell.row for cell in Cells(cells).beside(asl(q=0.3))}
    assert rows == {"q = 0.3"}, "a point of the figure, which has no value"
    assert not Cells(cells).beside(asl(q=0.4))
    npl = load_published(["noisy_pseudo_labels/Table 1"])
    dense = "thumos-14-dense[validation=test,labelled={}]"
    at = {share: resolve_run("npl", dense.format(share), {"preset": "published"}) for share in ("0.1", "0.3")}
    assert {cell.group for cell in Cells(npl).beside(at["0.1"])} == {"10%"} and not Cells(npl).beside(at["0.3"])
    assert not Cells(npl).beside(resolve_run("npl", "thumos-14[labelled=0.1]")), "NPL learns from the dense pack"


def test_a_number_under_other_protocols_is_never_judged():
    cell = next(cell for cell in ASL if cell.row == "BaSNet" and cell.key == MetricKey("mAP"))
    spec = resolve_run("basnet", DATA, {"preset": "published"}, protocol="212")
    assert differences(cell, spec) == ["number of the method's own authors, whose protocols differ"]


def test_a_mean_over_splits_is_not_one_of_them():
    cells = load_published(["single_positive/notebook 2022-07-22"])
    one = resolve_run("mask-bce", "confusing-hmdb-102[split=2,validation=test]", {"preset": "notebook"})
    found = Cells(cells).beside(one)
    assert {cell.row for cell in found} == {"Mask BCE"}
    assert differences(found[0], one)[0] == "one of the 3 parts over which the print is a mean"


def test_weights_are_compared_by_the_file_that_the_card_names(tmp_path):
    cell = load_published(["multi_label_detection/Table 1"])[1]
    data = "ava-v2.2[holdout=0]"
    bare = resolve_run("supervised-actors", data, {"preset": "published"})
    assert differences(cell, bare) == ["weights=none, in print slowfast-r50-k400"]
    (tmp_path / "SLOWFAST_8x8_R50.pkl").write_bytes(b"weights")
    file = str(tmp_path / "SLOWFAST_8x8_R50.pkl")
    assert differences(cell, resolve_run("supervised-actors", data, {"preset": "published", "weights": file})) == []


def test_the_command_of_a_cell_trains_what_the_cell_asks_for():
    cell = next(cell for cell in ASL if cell.row == "ASL-BCE")
    said = command(cell, 2)
    assert said == (
        "suite train action-selection 'thumos-14[validation=test]' --preset published --set target_loss=bce "
        "--protocol 212 --seed 2"
    )


def test_only_equal_settings_are_judged(tmp_path):
    section = synthetic.content(tmp_path).sections[0]
    asked, ledger = synthetic.fill(tmp_path / "again")
    found = aggregate.values(aggregate.asked_frame(asked, ledger.runs()), ledger.metrics())
    found, real = found.filter(pl.col("table") == 0), replace(section.view, kind="real")
    short = printed(differs="other videos")
    cells = [printed(), short, printed(dataset="yeast"), printed(method="npl", dataset="hapt"), printed(value=None)]
    # The synthetic runs train 7 epochs by their budget; as a setting of its own that is none of the paper's.
    whole = [replace(one, spec=one.spec.model_copy(update={"epochs": None})) for one in asked]
    compared = compare(real, found, cells, whole)
    assert [one.verdict for one in compared] == ["within interval [72.1, 91.9]", "different protocol: other videos"]
    assert compared[0].difference == pytest.approx(82.0 - 82.5) and compared[1].difference is None
    assert compare(real, found, cells[:1], asked)[0].verdict.startswith("different protocol: ")
    planted = compare(section.view, found, cells[:1], whole)
    assert planted[0].verdict == "different protocol: generated data" and planted[0].difference is None
    assert compare(real, found, [printed(key=MetricKey("nothing"))], whole)[0].verdict == "not measured by these runs"


def test_annotated_boxes_are_another_protocol_in_words():
    """UCF101-24 with annotated boxes never stands under the printed 81.6."""
    cells = load_published(["multi_label_detection/Table 1"])
    spec = resolve_run("supervised-actors", "ucf101-24[boxes=annotated]", {"preset": "published-ucf101"})
    (cell,) = Cells(cells).beside(spec)
    assert (cell.value, differences(cell, spec)) == (
        81.6,
        [
            "annotated boxes are scored, in print a detector's boxes are scored",
            "training videos without groups 24 and 25, on which epochs are chosen, in print all training videos, none "
            "held out",
            "weights=none, in print slowfast-r50-k400",
        ],
    )
