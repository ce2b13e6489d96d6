"""Analyses of recorded runs on a small ledger: errors against another run, DETAD, pseudo-labels, timelines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from suite.analyse.detad import false_positives
from suite.analyse.examples import COUNT, ERRORS, examples, row_of
from suite.analyse.snippet_errors import best_detections, compare_errors, counts_by_video
from suite.analyse.subject import subject
from suite.analyse.timeline import shade
from suite.cli import build
from suite.errors import UsageError
from suite.evaluate.segments import Segments
from suite.places import Places
from suite.results.ledger import Ledger
from suite.spec.run import RunSpec
from suite.work.execute import execute

DATA = "planted-videos"
DIALS = {"videos": 24, "classes": 3, "video_seconds": 30.0, "channels": 8}
PARAMS = {"positions": 40, "hidden": 8, "epochs": 2, "evaluate_every": 1}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> tuple[str, dict[str, str]]:
    """A ledger with a trained ASL, a trained top-k MIL, and the two ceilings."""
    from suite.data import find_card
    from suite.registry import method

    places = Places(str(tmp_path_factory.mktemp("outputs")))
    runs = {}
    for label, name, given in (
        ("asl", "action-selection", PARAMS),
        ("mil", "topk-mil", PARAMS),
        ("posterior", "snippet-oracle", {"positions": 40}),
        ("truth", "snippet-oracle", {"positions": 40, "knows": "truth"}),
    ):
        params = method(name).resolve(given)
        spec = RunSpec(method=name, dataset=DATA, dials=find_card(DATA).resolve_dials(DIALS), params=params)
        outcome = execute(spec, places)
        assert outcome.run["status"] == "finished", outcome.run["error"]
        Ledger.of(places.outputs).record(outcome)
        runs[label] = outcome.id
    return places.outputs, runs


def load(recorded, label):
    outputs, runs = recorded
    return subject(Ledger.of(outputs), runs[label], Places(outputs))


def test_a_page_of_segments_has_timelines_and_the_profile_of_errors(recorded):
    outputs, runs = recorded
    ledger = Ledger.of(outputs)
    shown = examples(row_of(ledger, runs["mil"]), ledger, Places(outputs))
    assert len(shown) == COUNT + 1
    profile, rows = shown[ERRORS], false_positives(load(recorded, "mil"))
    assert profile.count("<tr>") == len(rows) + 1 and 'scope="row"' in profile
    assert all(row["type"] in profile and f">{row['1G']:.1f}<" in profile for row in rows)
    assert sum(row["1G"] for row in rows) == pytest.approx(100)


def test_counts_cover_every_snippet_once(recorded):
    one = load(recorded, "posterior")
    counts = counts_by_video(one)
    assert np.array_equal(counts.sum(axis=1), one.samples.lengths)
    action = one.samples.oracle["inside"].any(axis=1)
    assert counts[:, [0, 2]].sum() == action.sum()


def test_keeping_more_detections_never_misses_more(recorded):
    one = load(recorded, "posterior")
    missed = [counts_by_video(one, multiple)[:, 2].sum() for multiple in (0.5, 1.0, 5.0)]
    assert missed[0] >= missed[1] >= missed[2]


def test_a_run_against_itself_has_no_change_and_the_truth_has_fewer_errors(recorded):
    one, truth = load(recorded, "asl"), load(recorded, "truth")
    same = compare_errors([one], [one], draws=50)
    assert all(change.change == change.low == change.high == 0 for change in same if change.ours)
    better = {change.kind: change for change in compare_errors([truth], [one], draws=200)}
    assert better["context errors"].ours < better["context errors"].theirs
    assert all(np.isnan(c.low) or c.low <= c.change <= c.high for c in better.values())


def test_runs_of_other_videos_can_not_be_compared(recorded):
    from dataclasses import replace

    one = load(recorded, "asl")
    other = replace(one, samples=one.samples.take(np.arange(3)))
    with pytest.raises(UsageError, match="same videos"):
        compare_errors([one], [other])


def test_best_detections_count_per_class():
    truth = Segments([0, 0, 1], [0, 0, 1], [0.0] * 3, [1.0] * 3)
    found = Segments([0] * 5, [0, 0, 0, 1, 1], [0.0] * 5, [1.0] * 5, [0.1, 0.9, 0.5, 0.2, 0.3])
    assert sorted(best_detections(found, truth, 1).score.tolist()) == [0.3, 0.5, 0.9]
    assert len(best_detections(found, truth, 9)) == 5


def test_shades_follow_the_rank():
    assert shade(np.array([3.0, 1.0, 2.0])).argsort().tolist() == [1, 2, 0]
    assert shade(np.array([3.0])).tolist() == [1.0]


def call(recorded, *words):
    outputs, _ = recorded
    return CliRunner().invoke(build(), ["analyse", *words, "--out", outputs])


def test_commands(recorded):
    _, runs = recorded
    rows = json.loads(call(recorded, "errors", runs["asl"], "--against", runs["mil"], "--json").stdout)
    assert [row["kind"] for row in rows][1:3] == ["context errors", "actionness errors"]
    (profile,) = json.loads(call(recorded, "detad", runs["posterior"], "--json").stdout)
    assert sum(row["1G"] for row in profile["false_positives"]) == pytest.approx(100)
    assert {row["characteristic"] for row in profile["false_negatives"]} == {"coverage", "length", "instances"}
    points = json.loads(call(recorded, "pseudo", runs["asl"], "--json").stdout)
    assert [point["epoch"] for point in points] == [1, 1]  # one epoch of the classifier alone, one of both
    assert 0 <= points[-1]["T_pos purity"] <= 1
    drawn = call(recorded, "timeline", runs["asl"], runs["mil"])
    assert drawn.exit_code == 0
    assert "annotated" in Path(drawn.stdout.split("drew ")[1].strip()).read_text()
    wrong = call(recorded, "timeline", runs["asl"], "--video", "test_0000")
    assert isinstance(wrong.exception, UsageError)
