"""Label sets and class scores of clips in csv files, scored by hand and by sklearn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from suite.data import load
from suite.errors import DataError, UsageError
from suite.places import Places
from suite.scoring import Against, score_file
from suite.tasks.scoring.report import Report
from tests.data.conftest import Toy, toy

__all__ = ["toy"]  # a fixture

TRUTH = "id,labels,unit\na,cut|slice,v1\nb,wash,v1\nc,cut,v2\nd,dry|wash,v2\n"
SETS = "id,labels\na,cut\nb,wash|dry\nc,cut\nd,stir\n"
# IoU 1/2, 1/2, 1, 0; F1 2/3, 2/3, 1, 0; one set of four is exact


def score(folder: Path, found: str, truth: str = TRUTH, **more: object) -> Report:
    (folder / "found.csv").write_text(found)
    (folder / "truth.csv").write_text(truth)
    against = Against(truth=folder / "truth.csv", **{"resamples": 0, **more})  # type: ignore[arg-type]
    return score_file(folder / "found.csv", against, Places())[1]


def values(report: Report) -> dict[str, float]:
    return {row["metric"]: row["value"] for row in report.metrics}


def oddities(report: Report) -> dict[str, int]:
    return {one.problem: one.count for one in report.oddities}


def test_label_sets_by_hand(tmp_path: Path) -> None:
    report = score(tmp_path, SETS)
    assert values(report) == pytest.approx({"IoU": 2 / 4, "F1": (2 / 3 + 2 / 3 + 1) / 4, "exact match": 1 / 4})
    assert oddities(report) == {"unknown label": 1}
    assert report.counts == {"predictions": 4, "counted": 4, "ground truths": 6, "items": 4}
    cut = next(row for row in report.classes if row["class"] == "cut")
    assert (cut["ground truths"], cut["predictions"], cut["precision"], cut["recall"]) == (2, 2, 1.0, 1.0)


def test_missing_unknown_and_repeated_clips(tmp_path: Path) -> None:
    report = score(tmp_path, "id,labels\na,cut\na,cut|slice\nzz,cut\nb,\n")
    assert values(report)["IoU"] == pytest.approx(1 / 4)
    assert oddities(report) == {
        "unknown item": 1, "item without prediction": 2, "item that has more than one row": 1,
    }  # fmt: skip


def test_intervals_draw_units(tmp_path: Path) -> None:
    row = score(tmp_path, SETS, resamples=100).metrics[0]
    assert row["low"] <= row["value"] <= row["high"]
    perfect = score(tmp_path, TRUTH, resamples=100).metrics[0]
    assert perfect["low"] == perfect["high"] == 1.0


@pytest.mark.parametrize("classes", [4, 5, 8])
def test_class_scores_agree_with_sklearn(classes: int, tmp_path: Path) -> None:
    """4 and 7 classes make lines as wide as THUMOS text and AVA csv are; the header says that they are neither."""
    generator = np.random.default_rng(classes)
    truth = generator.random((40, classes)) < 0.4
    truth[:, 0] |= ~truth.any(axis=1)
    probability = generator.random((40, classes))
    names = [f"c{place}" for place in range(classes)]
    lines = [f"i{row}," + "|".join(n for n, t in zip(names, truth[row]) if t) for row in range(40)]
    header = "id," + ",".join(names)
    for scale, table in (("", probability), ("logits", np.log(probability / (1 - probability)))):
        rows = [f"i{row}," + ",".join(map(repr, table[row].tolist())) for row in range(40)]
        report = score(tmp_path, "\n".join([header, *rows]), "\n".join(["id,labels", *lines]), scores=scale)
        found = values(report)
        chosen = probability >= 0.5
        assert found["IoU"] == pytest.approx(jaccard_score(truth, chosen, average="samples", zero_division=0))
        assert found["F1"] == pytest.approx(f1_score(truth, chosen, average="samples", zero_division=0))
        assert found["exact match"] == pytest.approx((truth == chosen).all(axis=1).mean())
        assert found["top-1"] == pytest.approx(truth[np.arange(40), probability.argmax(axis=1)].mean())
        assert not report.oddities
        if scale:
            assert oddities(score(tmp_path, "\n".join([header, *rows]), "\n".join(["id,labels", *lines])))


def test_against_a_dataset(toy: Toy, tmp_path: Path) -> None:
    data = load("toy[size=40]", "recognition")
    rows = ["|".join(name for name, here in zip(data.classes, row) if here) for row in np.asarray(data.test.truth)]
    path = tmp_path / "found.csv"
    path.write_text("\n".join(["id,labels", *(f"{item},{row}" for item, row in zip(data.test.ids, rows))]))
    report = score_file(path, Against("toy[size=40]", resamples=20), Places())[1]
    assert set(values(report).values()) == {1.0}
    assert not report.oddities


@pytest.mark.parametrize(
    ("found", "truth", "message"),
    [
        ("id,labels\na,cut,slice\n", TRUTH, "line 2: not the 2 fields of the header"),
        ("id,cut,slice\na,0.5\n", TRUTH, "line 2: not the 3 fields"),
        ("id,cut,slice\na,0.5,high\n", TRUTH, "line 2: not the 3 fields"),
        ("id,cut,cut\na,0.5,0.5\n", TRUTH, "names a class twice"),
        (SETS, "id,labels\na,cut\na,cut\n", "has a clip twice"),
        (SETS, "id,labels\na,\n", "has a clip without labels"),
        (SETS, "id,cut\na,1\n", "is no list of label sets"),
        (SETS, "a,b\n", "is no list of label sets"),
    ],
)
def test_mistakes(found: str, truth: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        score(tmp_path, found, truth)
    with pytest.raises(UsageError, match="does not apply to label sets"):
        score(tmp_path, SETS, TRUTH, subset="test")
