"""Hostile files of predictions and truth: whatever they hold, what comes back is a score or one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suite.errors import SuiteError
from suite.places import Places
from suite.scoring import Against, score_file

DIGITS = "9" * 400
DETECTION = '{{"results": {{"a": [{{"segment": [0, {end}], "label": {label}, "score": {score}}}]}}}}'
TRUTH = '{{"a": {{"annotations": [{{"segment": [0, {end}], "label": {label}}}]}}}}'

FOUND = {
    "digits": DETECTION.format(end=DIGITS, label='"Run"', score=DIGITS),
    "more digits": DETECTION.format(end="9" * 5000, label='"Run"', score=1),
    "label of digits": DETECTION.format(end=10, label=DIGITS, score=0.5),
    "label of nothing": DETECTION.format(end=10, label="null", score=0.5),
    "label of a list": DETECTION.format(end=10, label="[[]]", score=0.5),
    "truth value": DETECTION.format(end=10, label='"Run"', score="true"),
    "text": DETECTION.format(end=10, label='"Run"', score='"high"'),
    "object": DETECTION.format(end=10, label='"Run"', score="{}"),
    "surrogate": DETECTION.format(end=10, label='"\\ud800"', score=0.5),
    "deep": '{"results": ' + "[" * 200_000 + "]" * 200_000 + "}",
    "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "null column": '{"video-id": null, "t-start": [0], "t-end": [1], "label": ["Run"], "score": [1]}',
    "scalar column": '{"video-id": "a", "t-start": 0, "t-end": 1, "label": "Run", "score": 1}',
    "column of nulls": '{"video-id": [null], "t-start": [null], "t-end": [null], "label": [null], "score": [null]}',
    "column of lists": '{"video-id": [[1]], "t-start": [[1]], "t-end": [[2]], "label": [[3]], "score": [[4]]}',
    "null": "null",
    "number": "3",
    "list": "[1, 2]",
    "results of null": '{"results": null}',
    "video of null": '{"results": {"a": null}}',
    "rows of null": '{"results": {"a": [null]}}',
}


def outcome(found: Path, truth: Path) -> str:
    """The sentence of an error, or empty where there is a score."""
    try:
        score_file(found, Against(truth=truth, resamples=0), Places())
    except SuiteError as error:
        assert "\n" not in str(error)
        str(error).encode("utf-8")
        return str(error)
    return ""


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = tmp_path / "truth.json"
    path.write_text(TRUTH.format(end=10, label='"Run"'))
    return path


@pytest.mark.parametrize("name", FOUND)
def test_json(name: str, truth: Path) -> None:
    path = truth.with_name("found.json")
    path.write_text(FOUND[name])
    fits = ("digits", "label of digits", "label of nothing", "label of a list", "column of nulls")
    assert (outcome(path, truth) == "") == (name in fits)


@pytest.mark.parametrize(
    "content",
    [
        TRUTH.format(end=DIGITS, label='"Run"'), TRUTH.format(end="NaN", label='"Run"'), "null", "[]", '{"a": 1}',
        '{"a": {"annotations": null}}', '{"a": {"annotations": [null]}}', '{"a": {"annotations": [{"segment": 1}]}}',
        '{"a": {"annotations": [{"segment": [0, 1], "label": "Run", "label_id": "x"}]}}', '{"a":' * 100_000,
        TRUTH.format(end=10, label='"\\udfff"'), '{"a": {"duration": ' + DIGITS + ', "annotations": [{}]}}',
    ],
)  # fmt: skip
def test_truth(content: str, truth: Path) -> None:
    found = truth.with_name("found.json")
    found.write_text(DETECTION.format(end=10, label='"Run"', score=0.5))
    truth.write_text(content)
    assert outcome(found, truth)


@pytest.mark.parametrize(
    "line",
    [
        "v,x,0.1,0.1,0.5,0.5,12", "v,902,0.1,0.1,0.5,0.5,²", "v,902,0.1,0.1,0.5,0.5," + DIGITS, "v", ",,,,,,",
        "v,902,nan,0.1,0.5,0.5,12", 'v,"' + "x" * 200_000, "v,902,0.1,0.1,0.5,inf,12",
    ],
)  # fmt: skip
def test_truth_of_boxes(line: str, tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text(line)
    (tmp_path / "found.csv").write_text(f"v,902,0.1,0.1,0.5,0.5,12,0.5\nv,{DIGITS},{DIGITS},0.1,0.5,0.5,{DIGITS},0.5\n")
    assert outcome(tmp_path / "found.csv", tmp_path / "truth.csv")


def test_bytes_that_are_no_text(truth: Path) -> None:
    for name in ("found.txt", "found.json", "found.csv", "found.parquet"):
        path = truth.with_name(name)
        path.write_bytes(bytes(range(256)) * 4)
        assert outcome(path, truth)


COLUMNS = {
    "text": ["x"],
    "list": [[1.0]],
    "null": [None],
    "bytes": [b"1"],
    "truth value": [True],
    "struct": [{"a": 1}],
}


@pytest.mark.parametrize("column", ["item", "label", "start", "end", "score"])
@pytest.mark.parametrize("kind", COLUMNS)
def test_parquet(column: str, kind: str, truth: Path) -> None:
    path = truth.with_name("found.parquet")
    table = {"item": ["a"], "label": ["Run"], "start": [0.0], "end": [10.0], "score": [0.5], column: COLUMNS[kind]}
    pq.write_table(pa.table(table), path)
    fits = kind == ("text" if column in ("item", "label") else "null")
    assert (outcome(path, truth) == "") == fits


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["segment", "label", "score", "results", "database", "annotations", "a", "video-id", "subset"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(found=VALUES, annotated=VALUES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_scored_or_refused(found: object, annotated: object, tmp_path: Path) -> None:
    (tmp_path / "found.json").write_text(json.dumps({"results": found}))
    (tmp_path / "truth.json").write_text(json.dumps({"database": annotated}))
    outcome(tmp_path / "found.json", tmp_path / "truth.json")
    (tmp_path / "found.json").write_text(json.dumps(found))
    outcome(tmp_path / "found.json", tmp_path / "truth.json")


@given(rows=st.lists(st.tuples(st.floats(), st.floats(), st.floats()), max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_numbers_are_scored(rows: list[tuple[float, float, float]], tmp_path: Path) -> None:
    detections = [{"segment": [start, end], "label": "Run", "score": score} for start, end, score in rows]
    (tmp_path / "found.json").write_text(json.dumps({"results": {"a": detections}}))
    (tmp_path / "truth.json").write_text(TRUTH.format(end=10, label='"Run"'))
    against = Against(truth=tmp_path / "truth.json", resamples=0)
    value = score_file(tmp_path / "found.json", against, Places())[1].metrics[0]["value"]
    assert np.isfinite(value) and 0 <= value <= 1
