"""What is wrong with numbers in a file of predictions: each is counted and named, and none moves a score in silence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score

from suite.data import load
from suite.errors import DataError, UsageError
from suite.places import Places
from suite.scoring import Against, score_file
from suite.tasks.scoring.joining import like_frames
from suite.tasks.scoring.report import Report
from tests.data.conftest import Toy, toy

__all__ = ["toy"]  # a fixture

TRUTH = {
    "a": {
        "duration": 60.0,
        "annotations": [{"segment": [0, 10], "label": "Run"}, {"segment": [20, 30], "label": "Run"}],
    },
    "b": {"duration": 50.0, "annotations": [{"segment": [5, 9], "label": "Run"}]},
}
SEGMENTS = [("a", 0, 10, 0.9), ("a", 50, 55, 0.8), ("a", 20, 30, 0.7), ("b", 5, 9, 0.6)]
AP = (1 + 3 / 4 + 3 / 4) / 3  # by hand: a false positive on rank 2, three hits on 1, 3 and 4, the envelope at 3/4


def scored(folder: Path, rows: list, **more: object) -> Report:
    found: dict[str, list] = {}
    for video, start, end, score in rows:
        found.setdefault(video, []).append({"segment": [start, end], "label": "Run", "score": score})
    (folder / "found.json").write_text(json.dumps({"results": found}))
    (folder / "truth.json").write_text(json.dumps(TRUTH))
    against = Against(truth=folder / "truth.json", resamples=0, **more)  # type: ignore[arg-type]
    return score_file(folder / "found.json", against, Places())[1]


def oddities(report: Report) -> dict[str, int]:
    return {one.problem: one.count for one in report.oddities}


def test_nothing_is_odd_about_a_proper_file(tmp_path: Path) -> None:
    report = scored(tmp_path, SEGMENTS, scores="probabilities")
    assert report.metrics[0]["value"] == pytest.approx(AP)
    assert oddities(report) == {}


@pytest.mark.parametrize("wrong", [float("inf"), float("-inf"), 10**400])
def test_an_infinite_score_is_dropped_and_named(wrong: float, tmp_path: Path) -> None:
    report = scored(tmp_path, [*SEGMENTS, ("b", 30, 40, wrong)])
    assert report.metrics[0]["value"] == pytest.approx(AP)
    assert oddities(report) == {"time or score that is infinite": 1}


def test_an_infinite_score_of_a_box_is_dropped_and_named(tmp_path: Path) -> None:
    """Two people, the second found on rank 2 after a false positive: AP 1/2 + 2/3 * 1/2 stays what it is."""
    (tmp_path / "truth.csv").write_text("v,902,0.1,0.1,0.5,0.5,12\nv,903,0.1,0.1,0.5,0.5,12\n")
    lines = ["v,902,0.1,0.1,0.5,0.5,12,0.9", "v,902,0.6,0.6,0.9,0.9,12,0.8", "v,903,0.1,0.1,0.5,0.5,12,0.7"]
    path, against = tmp_path / "found.csv", Against(truth=tmp_path / "truth.csv", resamples=0)
    for more in ([], ["v,903,0.6,0.6,0.9,0.9,12,inf"], ["v,903,0.6,0.6,inf,0.9,12,0.99"]):
        path.write_text("\n".join([*lines, *more]))
        report = score_file(path, against, Places())[1]
        assert report.metrics[0]["value"] == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)
        assert oddities(report) == ({"number that is infinite": 1} if more else {})


def test_scores_off_a_stated_scale(tmp_path: Path) -> None:
    rows = [*SEGMENTS[:3], ("b", 5, 9, 1.5)]
    assert oddities(scored(tmp_path, rows, scores="probabilities")) == {"score that is not of probabilities": 1}
    assert oddities(scored(tmp_path, rows, scores="0.75..2")) == {"score that is not of 0.75..2": 1}
    assert oddities(scored(tmp_path, rows, scores="logits")) == {}
    assert oddities(scored(tmp_path, SEGMENTS, scores="logits")) == {
        "score between 0 and 1, as all of them are, where logits are expected": 4
    }
    with pytest.raises(UsageError, match="is no scale of scores; write probabilities, logits or LOW"):
        scored(tmp_path, rows, scores="2..1")


def test_frames_instead_of_seconds(tmp_path: Path) -> None:
    frames = [(video, 25 * start, 25 * end, score) for video, start, end, score in SEGMENTS]
    problem = "time far beyond the end of its video, a frame number instead of seconds"
    assert oddities(scored(tmp_path, frames))[problem] >= 3
    assert oddities(scored(tmp_path, [*SEGMENTS, ("b", 90, 95, 0.1)])) == {
        "segment that starts after the end of its video": 1
    }
    generator = np.random.default_rng(0)
    seconds = generator.uniform(0, 60, 1000)
    assert not like_frames(seconds, np.full(1000, 60.0)).any()
    assert like_frames(25 * seconds, np.full(1000, 60.0)).mean() > 0.8
    assert not like_frames(seconds, np.full(1000, np.nan)).any()


def test_frames_instead_of_seconds_in_boxes(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("v,902,0.1,0.1,0.5,0.5,12\n")
    (tmp_path / "found.csv").write_text("v,27060,0.1,0.1,0.5,0.5,12,0.9\n")
    report = score_file(tmp_path / "found.csv", Against(truth=tmp_path / "truth.csv", resamples=0), Places())[1]
    assert oddities(report)["second far beyond the last annotated one, a frame number instead"] == 1


@pytest.mark.parametrize("side", ["found", "truth"])
def test_a_byte_order_mark_is_skipped_and_named(side: str, tmp_path: Path) -> None:
    scored(tmp_path, SEGMENTS)
    path = tmp_path / f"{side}.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    report = score_file(tmp_path / "found.json", Against(truth=tmp_path / "truth.json", resamples=0), Places())[1]
    assert report.metrics[0]["value"] == pytest.approx(AP)
    assert oddities(report) == {"byte order mark": 1}


def test_a_byte_order_mark_of_a_csv_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("\ufeffv,902,0.1,0.1,0.5,0.5,12\n", encoding="utf-8")
    (tmp_path / "found.csv").write_text("\ufeffv,902,0.1,0.1,0.5,0.5,12,0.9\n", encoding="utf-8")
    report = score_file(tmp_path / "found.csv", Against(truth=tmp_path / "truth.csv", resamples=0), Places())[1]
    assert report.metrics[0]["value"] == 1.0
    assert [one.problem for one in report.oddities] == ["byte order mark", "byte order mark"]


def test_repeated_keys_and_reversed_truth(tmp_path: Path) -> None:
    scored(tmp_path, SEGMENTS)
    row = '{"segment": [0, 10], "label": "Run", "score": 0.5}'
    (tmp_path / "found.json").write_text(f'{{"results": {{"a": [{row}], "b": [], "a": [{row}, {row}]}}}}')
    back = {"b": {"annotations": [{"segment": [9, 5], "label": "Run"}]}}
    (tmp_path / "truth.json").write_text(json.dumps({**TRUTH, **back}))
    report = score_file(tmp_path / "found.json", Against(truth=tmp_path / "truth.json", resamples=0), Places())[1]
    assert oddities(report) == {
        "repeated JSON key": 1, "annotated segment that ends before it starts": 1, "duplicate row": 1,
    }  # fmt: skip
    assert report.oddities[0].example == "a"


# Class scores in the ledger's form ---------------------------------------------------------------------------------


class Scored:
    """The test split of a small dataset, logits for it, and the score of a table of them with other columns."""

    def __init__(self, folder: Path) -> None:
        self.path, self.clips = folder / "scores.parquet", load("toy[size=40]", "recognition").test
        self.logits = np.random.default_rng(0).normal(size=self.clips.truth.shape)

    def __call__(self, scale: str = "", **columns: object) -> Report:
        half = np.full(len(self.logits), 0.5)
        table = {"item": self.clips.ids, "score": half, "scores": list(self.logits), **columns}
        pq.write_table(pa.table({name: column for name, column in table.items() if column is not None}), self.path)
        return score_file(self.path, Against("toy[size=40]", resamples=0, scores=scale), Places())[1]


@pytest.fixture
def table(toy: Toy, tmp_path: Path) -> Scored:
    return Scored(tmp_path)


def values(report: Report) -> dict[str, float]:
    return {row["metric"]: row["value"] for row in report.metrics}


def test_probabilities_where_logits_are_expected(table: Scored) -> None:
    """F1 at 0.5 differs between the two readings; said to be what they are, probabilities score as their logits."""
    expected = values(table())
    probabilities = list(1 / (1 + np.exp(-table.logits)))
    report = table(scores=probabilities)
    assert list(oddities(report)) == ["score between 0 and 1, as all of them are, where logits are expected"]
    assert values(report)["F1"] != pytest.approx(expected["F1"], abs=1e-3)
    report = table("probabilities", scores=probabilities)
    assert oddities(report) == {}
    assert values(report) == pytest.approx(expected, abs=1e-6)


def test_scores_that_are_no_finite_numbers_gain_nothing(table: Scored) -> None:
    """The AP of a class whose best clip is infinite is that with this clip as the last, by sklearn."""
    wrong = table.logits.copy()
    negative = int(np.flatnonzero(~np.asarray(table.clips.truth)[:, 0])[0])
    wrong[negative, 0] = np.inf
    report = table(scores=list(wrong))
    assert oddities(report) == {"score that is no finite number": 1}
    ranked = table.logits[:, 0].copy()
    ranked[negative] = ranked.min() - 1
    envelope = next(row["AP"] for row in report.classes)
    assert envelope >= average_precision_score(np.asarray(table.clips.truth)[:, 0], ranked) - 1e-9
    wrong[negative, 0] = table.logits.min()
    assert values(table(scores=list(wrong))) == pytest.approx(values(report))


def test_items_that_are_unknown_or_have_two_rows(table: Scored) -> None:
    expected, ids = values(table()), [*table.clips.ids.tolist()]
    more = {"item": [ids[0], *ids, "gone"], "score": np.full(len(ids) + 2, 0.5)}
    report = table(scores=[*table.logits[::-1][:1], *table.logits, *table.logits[:1]], **more)
    assert oddities(report) == {"unknown item": 1, "item that has more than one row": 1}
    assert values(report) == pytest.approx(expected)


WRONG_COLUMNS = {
    "missing": ({"score": None}, "lacks the columns score of recognition predictions"),
    "text": ({"score": ["x"] * 40}, "column 'score' holds string, not numbers"),
    "null": ({"score": [None] * 40}, "column 'score' has 40 cells without a finite number"),
    "scalar": ({"scores": [0.5] * 40}, "column 'scores' holds double, not lists of numbers"),
    "short": ({"scores": [[0.5]] * 40}, "row 0 of 'scores' has 1 numbers for"),
    "no list": ({"scores": pa.array([None] * 40, pa.list_(pa.float32()))}, "row 0 of 'scores' has no list"),
    "words": ({"scores": [["a", "b"]] * 40}, "not lists of numbers"),
    "items": ({"item": [["a"]] * 40}, "column 'item' holds list<.*not names"),
    "nameless": ({"item": pa.array([None] * 40, pa.string())}, "column 'item' has 40 empty cells"),
}


@pytest.mark.parametrize("name", WRONG_COLUMNS)
def test_columns_that_are_missing_or_of_another_type(name: str, table: Scored) -> None:
    columns, message = WRONG_COLUMNS[name]
    with pytest.raises(DataError, match=message):
        table(**columns)


def test_segments_that_lack_a_column(toy: Toy, tmp_path: Path) -> None:
    path = tmp_path / "found.parquet"
    columns = {"item": ["test-0"], "label": [0], "start": [0.0], "end": [1.0], "score": [0.5]}
    against = Against("toy", resamples=0)
    for missing in ("label", "start", "score"):
        pq.write_table(pa.table({name: column for name, column in columns.items() if name != missing}), path)
        with pytest.raises(DataError, match=f"lacks the columns .*{missing}"):
            score_file(path, against, Places())
