"""Ambiguous segments: the kit of THUMOS-14 forgives detections near them, if it knows of any."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suite.errors import DataError
from suite.places import Places
from suite.scoring import Against, score_file
from suite.tasks.scoring.report import Report

# The first detection overlaps the ambiguous segment, the second is right.
FOUND = "video_test_0000026 2.0 4.0 26 0.9\nvideo_test_0000026 10.0 20.0 26 0.8\n"
CLEAR = {"segment": [10, 20], "label": "Diving"}
VAGUE = {"segment": [2.2, 4.0], "label": "Ambiguous"}


def score(folder: Path, protocol: str, rows: list, ambiguous: Path | None = None) -> Report:
    (folder / "found.txt").write_text(FOUND)
    (folder / "truth.json").write_text(json.dumps({"video_test_0000026": {"annotations": rows}}))
    against = Against(truth=folder / "truth.json", protocol=protocol, resamples=0, ambiguous=ambiguous)
    return score_file(folder / "found.txt", against, Places())[1]


@pytest.mark.parametrize("protocol", ["thumos-kit", "thumos-kit-eleven", "wtalc"])
def test_a_truth_without_ambiguous_segments_is_named(protocol: str, tmp_path: Path) -> None:
    report = score(tmp_path, protocol, [CLEAR])
    assert report.metrics[0]["value"] == pytest.approx(0.5)
    (odd,) = report.oddities
    assert odd.problem.startswith(f"truth without 'Ambiguous' segments, where {protocol}")
    assert "--ambiguous" in odd.treatment


def test_they_come_from_the_annotation_or_from_a_file(tmp_path: Path) -> None:
    text, other = tmp_path / "Ambiguous_test.txt", tmp_path / "ambiguous.json"
    text.write_text("video_test_0000026  2.2 4.0\nvideo_test_0000999  1.0 2.0\n\n")
    other.write_text(json.dumps({"database": {"video_test_0000026": {"annotations": [VAGUE, CLEAR]}}}))
    for rows, path in (([CLEAR, VAGUE], None), ([CLEAR], text), ([CLEAR], other)):
        report = score(tmp_path, "thumos-kit", rows, path)
        assert report.metrics[0]["value"] == 1.0
        assert not report.oddities
    assert score(tmp_path, "thumos-213", [CLEAR], text).metrics[0]["value"] != 1.0, "other protocols count them"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video_test_0000026 2.2\n", "line 1: not video, start, end"),
        ("elsewhere 1 2\n", "names no ambiguous segment of the videos that count"),
        (None, "there is no file"),
    ],
)
def test_mistakes(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        score(tmp_path, "thumos-kit", [CLEAR], tmp_path / "a.txt")
