"""Published forms of predictions, written as their tools write them and read back."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from suite.errors import DataError
from suite.evaluate.boxes import Boxes
from suite.evaluate.segments import Segments
from suite.places import Places
from suite.scoring import Against, score_file
from suite.tasks.actors.scoring.boxes import BoxRows, BoxTruth, join_boxes, read_boxes
from suite.tasks.localization.scoring.forms import SegmentRows, read_segments
from suite.tasks.localization.scoring.join import join_segments
from suite.tasks.localization.scoring.truth import SegmentTruth
from suite.tasks.scoring.contents import open_contents


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


SEGMENT_FORMS = {
    "anet.json": {
        "version": "VERSION 1.3",
        "results": {"a": [{"label": "Diving", "score": 0.9, "segment": [1.0, 2.5]}], "b": []},
        "external_data": {},
    },
    "actionformer.json": {"database": {"a": [{"segment": [1.0, 2.5], "label_id": 7, "scores": 0.9}]}},
    "columns.json": {"video-id": ["a"], "t-start": [1.0], "t-end": [2.5], "label": [7], "score": [0.9]},
    "thumos.txt": "a.mp4 1.0 2.5 26 0.9\n\n",
}


@pytest.mark.parametrize("name", SEGMENT_FORMS)
def test_segment_forms(name: str, tmp_path: Path) -> None:
    contents = open_contents(written(tmp_path, name, SEGMENT_FORMS[name]))
    rows = read_segments(contents)
    assert rows is not None
    assert read_boxes(contents) is None
    assert (rows.video, rows.start.tolist(), rows.end.tolist(), rows.score.tolist()) == (("a",), [1.0], [2.5], [0.9])
    assert rows.label == (("7",) if "label_id" in str(SEGMENT_FORMS[name]) or "columns" in name else ("Diving",))


class _Ran:
    def __reduce__(self) -> tuple:
        return (print, ("ran",))


@pytest.mark.parametrize("protocol", [2, 4])
def test_actionformers_pickle(protocol: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What eval.py of ActionFormer dumps: names in a list, numbers in arrays. Anything else in a pickle is not run."""
    numbers = {"t-start": [1.0, 5.0], "t-end": [2.5, 9.0], "score": [0.9, 0.5]}
    arrays = {name: np.array(column, dtype=np.float32) for name, column in numbers.items()}
    path = tmp_path / "eval_results.pkl"
    path.write_bytes(pickle.dumps({"video-id": ["a", "a"], "label": np.array([7, 4]), **arrays}, protocol))
    truth = {"a": {"annotations": [{"segment": [1.0, 2.5], "label": "Diving", "label_id": 7}]}}
    against = Against(truth=written(tmp_path, "truth.json", truth), resamples=0)
    form, report = score_file(path, against, Places())
    assert form == "ActionFormer columns"
    assert report.metrics[0]["value"] == 1.0
    assert [(one.problem, one.example) for one in report.oddities] == [("unknown label", "4")]
    for wrong in (_Ran(), {"video-id": _Ran()}, "text"):
        path.write_bytes(pickle.dumps(wrong, protocol))
        with pytest.raises(DataError):
            score_file(path, against, Places())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("separator", [",", "\t"])
def test_ava_csv(separator: str, tmp_path: Path) -> None:
    line = separator.join(["vid", "0902", "0.1", "0.2", "0.3", "0.4", "12", "0.5"])
    contents = open_contents(written(tmp_path, "ava.csv", f"{line}\n{line}\n"))
    rows = read_boxes(contents)
    assert rows is not None
    assert read_segments(contents) is None
    assert rows.video == ("vid", "vid")
    assert rows.second.tolist() == [902.0, 902.0]
    assert rows.label == ("12", "12")
    np.testing.assert_allclose(rows.box[0], [0.1, 0.2, 0.3, 0.4])


def test_ledger_parquet_keeps_the_chosen_test_predictions(tmp_path: Path) -> None:
    table = {
        "run": ["r"] * 3, "split": ["test", "validation", "test"], "selection": ["validation", "validation", "last"],
        "item": ["a", "b", "c"], "label": [1, 2, 3], "start": [0.0] * 3, "end": [1.0] * 3, "score": [0.5, 0.6, None],
        "scores": pa.array([None] * 3, pa.list_(pa.float32())),
    }  # fmt: skip
    pq.write_table(pa.table(table), tmp_path / "kept.parquet")
    rows = read_segments(open_contents(tmp_path / "kept.parquet"))
    assert rows is not None
    assert (rows.video, rows.label) == (("a",), ("1",))
    pq.write_table(
        pa.table({**table, "run": ["r", "r", "s"], "selection": ["validation"] * 3}), tmp_path / "two.parquet"
    )
    with pytest.raises(DataError, match="holds 2 values of 'run'"):
        open_contents(tmp_path / "two.parquet")
    pq.write_table(pa.table({"item": ["a"], "scores": [[0.1, 0.9]]}), tmp_path / "scores.parquet")
    assert read_segments(open_contents(tmp_path / "scores.parquet")) is None


BROKEN = {
    "none.json": ("{", "is not JSON"),
    "other.json": ({"rows": []}, "in no form that is known: write AVA csv .*ActivityNet JSON, "),
    "row.json": ({"results": {"a": [{"label": "x", "segment": [1]}]}}, "video a, detection 0: needs segment"),
    "video.json": ({"results": {"a": {"label": "x"}}}, "video a: not a list of detections"),
    "ragged.json": ({"video-id": ["a"], "t-start": [], "t-end": [1], "label": [1], "score": [1]}, "all of one length"),
    "width.txt": ("a 1 2\n", "in no form that is known: .* THUMOS text .video start end class score."),
    "word.txt": ("a 1 2 7 0.5\na 1 two 7 0.5\n", "line 2: not the 5 fields"),
    "empty.txt": ("\n", "is empty"),
    "gone.txt": (None, "there is no file"),
    "torn.parquet": ("PAR1", "is not a whole Parquet file"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told_with_its_place(name: str, tmp_path: Path) -> None:
    content, message = BROKEN[name]
    path = tmp_path / name if content is None else written(tmp_path, name, content)
    truth = written(tmp_path, "truth.json", {"a": {"annotations": []}})
    with pytest.raises(DataError, match=message):
        score_file(path, Against(truth=truth), Places())


def test_oddities_of_segments_are_counted() -> None:
    truth = SegmentTruth(
        ("a", "b"), ("Diving", "Run"), Segments([0], [0], [0.0], [1.0]), numbers={"Diving": 26, "Run": 3}
    )
    rows = [
        ("a", "Diving", 0.0, 1.0, 0.9), ("a", "26", 0.0, 1.0, 0.9), ("zz", "Run", 0.0, 1.0, 0.9),
        ("a", "Swim", 0.0, 1.0, 0.9), ("a", "Run", 0.0, 1.0, np.nan), ("b", "3", 2.0, 1.0, 0.9),
        ("b", "Run", -1.0, 1.0, 0.9), ("b", "Run", 1.0, 1.0, 0.9), ("gone", "Run", 0.0, 1.0, 0.9),
    ]  # fmt: skip
    video, label, start, end, score = zip(*rows)
    columns = SegmentRows("x", video, label, *(np.array(column) for column in (start, end, score)))
    found, oddities = join_segments(columns, truth, left_out=("gone",))
    assert {odd.problem: odd.count for odd in oddities} == {
        "unknown video": 1, "unknown label": 1, "time or score that is not a number": 1, "duplicate row": 1,
        "segment that ends before it starts": 1, "segment without length": 1, "segment that starts before 0": 1,
    }  # fmt: skip
    assert next(odd.example for odd in oddities if odd.problem == "unknown video") == "zz"
    assert found.label.tolist() == [0, 0, 1, 1, 1, 1]
    assert found.video.tolist() == [0, 0, 2, 1, 1, 1]


def test_oddities_of_boxes_are_counted() -> None:
    truth = BoxTruth((("v", 902.0),), ("sit", "stand"), Boxes([0], [0], [[0, 0, 1, 1]]), {"sit": 11, "stand": 12},
                     frozenset({("v", 903.0)}))  # fmt: skip
    good = [0.1, 0.1, 0.5, 0.5]
    rows = [
        ("v", 902.0, "11", good, 0.9), ("v", 902.0, "11", good, 0.9), ("w", 902.0, "12", good, 0.9),
        ("v", 950.0, "12", good, 0.9), ("v", 902.0, "99", good, 0.9), ("v", 903.0, "11", good, 0.9),
        ("v", 902.0, "11", [0.5, 0.1, 0.1, 0.5], 0.9), ("v", 902.0, "11", [0.1, 0.1, 1.5, 0.5], 0.9),
        ("v", 902.0, "11", good, np.nan),
    ]  # fmt: skip
    video, second, label, box, score = zip(*rows)
    boxes, frames, oddities = join_boxes(
        BoxRows("x", video, np.array(second), label, np.array(box), np.array(score)), truth
    )
    assert {odd.problem: odd.count for odd in oddities} == {
        "unknown video": 1, "frame without ground truth": 1, "unknown label": 1, "number that is not one": 1,
        "box without area": 1, "box outside the picture": 1, "duplicate row": 1,
    }  # fmt: skip
    assert len(boxes) == 6
    assert frames[0] == ("v", 902.0)
