"""What runs would cost: steps timed on noise of published shapes, counted at the published size."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from suite.data import find_card
from suite.errors import UsageError
from suite.leaderboard.cost import Costs
from suite.leaderboard.generated import generated
from suite.leaderboard.lengths import expected, published_lengths
from suite.leaderboard.steps import smallest, timed, timed_alone
from suite.leaderboard.timed import Timed, name_of, scored, size_of
from suite.places import Places
from suite.registry import method
from suite.rehearsal import draft, rehearse, request
from suite.results.ledger import Ledger
from suite.runs import resolve_run

SMALL = {"embedding": 16, "levels": 3, "window": 9, "max_length": 576, "heads": 2}


@pytest.mark.parametrize(
    ("card", "served", "shape"),
    [
        ("thumos-14", "weak-localization", (318, 2048)),
        ("activitynet-13-tsn", "semi-localization", (100, 400)),
    ],
)
def test_noise_has_the_published_shape(card, served, shape):
    dials = find_card(card).resolve_dials({"labelled": 0.5})
    data = generated(find_card(card), served, dials, 4, 3)
    assert data.train.features(1).shape == shape and len(data.test) == 3
    assert (
        data.train.labelled.sum() == (2 if served == "semi-localization" else 4)
        and len(data.classes) == size_of(find_card(card)).classes
    )
    empty = generated(find_card(card), served, dials, 4, 3, empty=True)
    assert empty.train.rows.shape == data.train.rows.shape and not empty.train.rows.any()
    assert empty.train.rows.strides == (0, 0), "zeros that take no memory"


def test_clips_of_pixels_come_with_unlabelled_ones():
    card = find_card("ava-v2.2")
    data = generated(card, "actor-detection", card.resolve_dials({}), 4, 2)
    assert len(data.train.clip_ids) == 8 and data.train.labelled.sum() == 4 * size_of(card).boxes
    assert data.train.frames.clip(0).shape == (32, 256, 340, 3)


def test_a_card_without_a_size_says_so():
    with pytest.raises(UsageError, match=r"add \[size\] to its card"):
        size_of(find_card("hapt"))


def test_steps_follow_from_the_phases_at_the_published_size():
    """100 epochs of 200 videos in batches of 16, the last one incomplete or left out, evaluated every fourth epoch."""
    spec = resolve_run("topk-mil", "thumos-14[validation=test]", {"preset": "published"})
    assert smallest(method("topk-mil")(**spec.params)) == 32, "whole batches"
    (length,) = published_lengths(spec)
    assert length.steps == pytest.approx(100 * 200 / 16) and length.evaluations == 25
    seconds = expected(spec, Timed({length.kind: 2.0}, {length.kind: 0.0}, 0.0))
    assert seconds == pytest.approx(2.0 * 100 * 200 / 16, rel=0.001), "steps times seconds"
    looked = expected(spec, Timed({length.kind: 0.0}, {length.kind: 0.0}, 0.5))
    assert looked == pytest.approx(0.5 * 212 * 25), "the test split is scored for both at each evaluation"
    held_out = resolve_run("topk-mil", "thumos-14", {"preset": "published"})
    looked = expected(held_out, Timed({length.kind: 0.0}, {length.kind: 0.0}, 0.5))
    assert looked == pytest.approx(0.5 * 2 * 212 * 25), "two splits are scored at each evaluation"


@pytest.mark.parametrize(("stride", "clips"), [(1, 138_527), (400, 347)])
def test_clips_that_the_test_split_leaves_out_cost_nothing(stride, clips):
    spec = resolve_run("supervised-actors", f"ucf101-24[boxes=annotated,test_stride={stride}]", {"preset": "published"})
    assert scored(spec) == 2 * clips


def test_budgets_in_epochs_follow_the_labelled_share():
    steps = {}
    for share in ("0.1", "0.5"):
        data = f"thumos-14-dense[validation=test,labelled={share}]"
        spec = resolve_run("actionformer", data, {"preset": "published", **SMALL})
        found = Timed(dict.fromkeys((one.kind for one in published_lengths(spec)), 1.0), {}, 0.0)
        steps[share] = expected(spec, found)
    assert steps["0.1"] == pytest.approx(35 * 20 / 2, rel=0.001)
    assert steps["0.5"] == pytest.approx(35 * 100 / 2, rel=0.001)


def test_a_phase_that_was_not_timed_costs_as_much_as_the_costliest():
    spec = resolve_run("topk-mil", "thumos-14", {})
    assert expected(spec, Timed({"other": 1.0, "more": 3.0}, {}, 0.0)) == pytest.approx(
        expected(spec, Timed({published_lengths(spec)[0].kind: 3.0}, {}, 0.0))
    )


def test_timings_are_kept_and_failures_stay_unknown(tmp_path, monkeypatch):
    one = resolve_run("topk-mil", "thumos-14", {"hidden": 4, "positions": 8, "epochs": 2, "batch": 4})
    other = resolve_run("topk-mil", "thumos-14", {"hidden": 4, "positions": 8, "epochs": 2, "batch": 4, "lr": 0.5})
    unsized = resolve_run("topk-mil", "hapt-clips-30", {})
    said: list[str] = []
    costs = Costs.of(tmp_path)
    costs.measure(
        [one, other, unsized], said.append, lambda spec: replace(timed(spec), peak=2.0**30, kept=1000.0, judged=10.0)
    )
    assert [line.split(" ")[0] for line in said] == ["timed", "not"], "equal settings but for a rate are timed once"
    again = Costs.of(tmp_path)
    assert again.seconds(one) == costs.seconds(one) > 0 and again.seconds(unsized) is None
    memory = again.memory(one)
    assert memory.process == 2**30 + 212 * (2 * 2 * 1000 + 2 * 10), "scores of two points and two splits"
    assert memory.features == 4 * 2048 * 318 * (200 + 212)
    assert Costs.of(tmp_path, "batch=2").memory(one) is None, "another setting of all runs is another cost"
    assert name_of(one) != name_of(one.model_copy(update={"epochs": 2}))
    assert name_of(one) != name_of(other) and again.seconds(other) == pytest.approx(again.seconds(one))
    (tmp_path / "cache" / "timed.json").write_text("{broken")
    assert Costs.of(tmp_path).seconds(one) is None


def test_clips_of_pixels_are_timed_one_at_a_time(monkeypatch):
    """A step is timed on one clip and counted for each of the batch; entering the first phase costs nothing."""
    real = find_card("ava-v2.2")
    tiny = real.model_copy(update={"size": real.size.model_copy(update={"height": 16, "width": 16})})
    for module in ("cost", "lengths", "steps"):
        monkeypatch.setattr(f"suite.leaderboard.{module}.find_card", lambda name: tiny)
    spec = resolve_run(
        "supervised-actors", "ava-v2.2", {"preset": "published", "width": 8, "blocks": "1-1", "alpha": 4}
    )
    found = timed(spec)
    (length,) = published_lengths(spec)
    assert length.steps == spec.params["steps"] and set(found.step) == {length.kind}
    assert found.entering[length.kind] * tiny.size.train < 0.05 * found.step[length.kind] * length.steps


def test_the_test_split_is_scored_and_judged_sample_by_sample():
    """What a run's first decoding costs (imports) is not counted again for each sample, nor what metrics take alone."""
    spec = resolve_run("topk-mil", "thumos-14", {"hidden": 4, "positions": 8, "epochs": 2, "batch": 4})
    found = timed(spec)
    assert 0 < found.kept < 2**20 and 0 < found.judged < 2**20 and found.peak > 2048 * 318 * 4 * (24 + 4), (
        "the noise, which a run has not"
    )


@pytest.mark.slow
def test_memory_in_the_plan_is_that_of_the_run(tmp_path, monkeypatch):
    """A rehearsal pack, trained on by the command in a process of its own, beside what the plan says of its size."""
    places = Places(str(tmp_path / "out"), str(tmp_path / "data"))
    asked = request("thumos-14", tmp_path, Path(places.data), videos=40, channels=2048)
    made = draft(asked)
    rehearse(asked, made)
    command = [sys.executable, "-c", "from suite.cli import main; main()", "train", "action-selection"]
    command += ["thumos-14[validation=test]", "--epochs", "1", "--data", places.data, "--out", places.outputs]
    subprocess.run(command, check=True, capture_output=True)
    measured = Ledger(places.ledger).runs()["memory"].max() * 2**30
    card = find_card("thumos-14")
    test = sum(video.part == "test" for video in made.listed.videos)
    length = round(made.packed / 4 / 2048 / 40)
    size = card.size.model_copy(update={"train": 40 - test, "test": test, "length": length})
    for module in ("cost", "lengths", "steps"):
        monkeypatch.setattr(
            f"suite.leaderboard.{module}.find_card", lambda name: card.model_copy(update={"size": size})
        )
    spec = resolve_run("action-selection", "thumos-14[validation=test]", {}, epochs=1)
    costs = Costs.of(tmp_path)
    costs.measure([spec], print)
    planned = costs.memory(spec)
    assert measured == pytest.approx(planned.process + planned.features, rel=0.3)


@pytest.mark.slow
def test_memory_is_that_of_a_process_of_its_own():
    """Two widths of one network: the wider has weights, gradients and Adam's two moments more, and activations."""
    peaks = {}
    for hidden in (64, 8192):
        spec = resolve_run("topk-mil", "thumos-14", {"hidden": hidden, "positions": 8, "epochs": 2, "batch": 4})
        found = timed_alone(spec)
        assert found.kept > 0
        peaks[hidden] = found.peak
    assert peaks[64] > 100 * 2**20, "a process with torch"
    weights = (8192 - 64) * 2048 * 4
    assert 3 * weights < peaks[8192] - peaks[64] < 20 * weights


@pytest.mark.slow
def test_what_is_compiled_at_the_first_evaluation_is_no_memory_of_a_sample():
    """SPOT leaves a few candidates per video; tens of MiB each, as compiling takes, would be 63 GiB for ActivityNet."""
    spec = resolve_run("spot", "activitynet-13-tsn[validation=test,labelled=0.1]", {"preset": "published"})
    assert timed_alone(spec).judged < 2**20
