"""Every method on a tiny planted world: it trains, labels, survives what is missing, and keeps the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from suite.data import load
from suite.errors import UsageError
from suite.evaluate.segments import Segments, tiou
from suite.registry import method
from suite.runs import cautions, resolve_run
from suite.tasks import task
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from suite.train import loop as engine
from suite.train.training import Settings, Trained, Training

ANCHOR_FREE = ("actionformer", "npl", "self-training", "fixed-threshold", "top-n", "mixup", "ideal-self-training")
ON_MAPS = ("bmn", "npl-bmn", "mean-teacher", "sstap")
METHODS = (*ANCHOR_FREE, *ON_MAPS, "spot")
TINY: dict[str, Any] = {"steps": 3, "semi_steps": 3, "evaluate_steps": 3, "batch": 2}
TINY_NETWORK = {
    **{name: {"embedding": 16, "heads": 2, "levels": 3, "window": 5, "max_length": 64} for name in ANCHOR_FREE},
    **{name: {"length": 16, "longest": 12, "hidden": 8, "proposal": 8, "sampled": 8} for name in ON_MAPS},
    "spot": {"length": 16, "width": 8, "heads": 2},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TaskData[Videos]:
    name = "planted-videos[videos=12,video_seconds=20,classes=2,channels=8,labelled=0.5]"
    return load(name, "semi-localization", cache=tmp_path_factory.mktemp("cache"))


def train(name: str, data: TaskData[Videos], **params: Any) -> tuple[Training, Trained]:
    chosen = method(name)(**{"preset": "small", **TINY, **TINY_NETWORK[name], **params})
    training = Training(chosen, data, task("semi-localization"), Settings())
    return training, engine.train(training)


@pytest.mark.parametrize("name", METHODS)
def test_trains_and_predicts_inside_the_videos(name: str, world: TaskData[Videos]) -> None:
    _, trained = train(name, world)
    found = trained.points["last"].predictions["test"]
    assert isinstance(found, Segments)
    assert found.score is not None
    assert np.isfinite(found.score).all()
    assert (found.start >= 0).all()
    assert (found.end <= np.asarray(world.test.duration)[found.video] + 1e-6).all()
    assert set(np.unique(found.label)) <= set(range(len(world.classes)))


@pytest.mark.parametrize("preset", ["published", "small"])
def test_spot_with_released_arithmetic(preset: str, world: TaskData[Videos]) -> None:
    few = {"budget": "matched", "resize": False, "arithmetic": "released"}
    _, trained = train("spot", world, preset=preset, **few)
    found = trained.points["last"].predictions["test"]
    assert isinstance(found, Segments)
    assert np.isfinite(found.score).all()
    assert (found.end <= np.asarray(world.test.duration)[found.video] + 1e-6).all()


def windows_of(data: TaskData[Videos], side: bool | None, length: int = 0, held: bool = False) -> int:
    """Videos of one side (None: all), or where ``length`` is given their half-overlapping windows, one by one.

    With ``held`` only windows that hold nine tenths of a segment count. Cells of planted videos are seconds.
    """
    count = 0
    for video in range(len(data.train)):
        if side is not None and bool(data.train.labelled[video]) != side:
            continue
        if not length:
            count += 1
            continue
        cells = int(data.train.lengths[video])
        last = max(0, cells - length)
        for first in sorted({*range(0, last + 1, length // 2), last}):
            second = float(data.train.stride[video] / data.train.fps[video])
            offset = float((data.train.window[video] - data.train.stride[video]) / 2 / data.train.fps[video])
            own = data.train.segments.video == video
            start = (data.train.segments.start[own] - offset) / second - first
            end = (data.train.segments.end[own] - offset) / second - first
            inside = np.clip(end, 0, length) - np.clip(start, 0, length)
            count += not held or bool((inside >= 0.9 * (end - start)).any())
    return count


@pytest.mark.parametrize("name", METHODS)
def test_published_budget_counts_what_batches_are_made_of(name: str, world: TaskData[Videos]) -> None:
    """Videos for ActionFormer, windows for the others: an epoch is a pass over these."""
    small = {} if name in ANCHOR_FREE else {"length": 8, "longest": 8} if name in ON_MAPS else {"length": 8}
    chosen = method(name)(preset="small", budget="published", batch=2, epochs=3, semi_epochs=4, **small)
    length = small.get("length", 0)
    labelled = windows_of(world, True, length, held=name in ON_MAPS) // 2
    others, everything = windows_of(world, False, length) // 2, windows_of(world, None, length) // 2
    if name not in ANCHOR_FREE:
        assert everything > len(world.train) // 2  # more windows than videos
    expected = {"spot": [3 * everything, 4 * labelled], "npl-bmn": [3 * labelled, 4 * others]}
    single = [3 * labelled] if name in ("actionformer", "bmn", "mean-teacher", "sstap") else [3 * labelled, 4 * others]
    assert [phase.steps for phase in chosen.phases(world)] == expected.get(name, single)


@pytest.mark.parametrize("name", METHODS)
def test_matched_budgets_are_equal(name: str, world: TaskData[Videos]) -> None:
    chosen = method(name)(preset="small", steps=11, semi_steps=7)
    assert sum(phase.steps for phase in chosen.phases(world)) == 18


def test_steps_that_a_published_budget_does_not_look_at_are_said() -> None:
    asked = {"preset": "published", "steps": 4}
    (said,) = cautions(resolve_run("npl", "planted-videos[labelled=0.5]", asked))
    assert "whatever steps may be; give --set budget=matched" in said
    for fine in ({"preset": "published"}, {**asked, "budget": "matched"}, {"steps": 4}):
        assert cautions(resolve_run("npl", "planted-videos[labelled=0.5]", fine)) == []


def test_ideal_labels_are_the_withheld_segments_until_noise_moves_them(world: TaskData[Videos]) -> None:
    hidden = world.train.segments.take(np.flatnonzero(~world.train.labelled[world.train.segments.video]))
    overlap = []
    for noise in (0.0, 0.1, 0.5):
        loop, _ = train("ideal-self-training", world, boundary_noise=noise)
        memory = {
            name: loop.run.memory[f"pseudo_{name}"].numpy() for name in ("video", "label", "start", "end", "kept")
        }
        assert memory["kept"].all() and (memory["end"] > memory["start"]).all() and (memory["start"] >= 0).all()
        assert (memory["end"] <= np.asarray(world.train.duration)[memory["video"].astype(int)] + 1e-9).all()
        assert memory["video"].tolist() == hidden.video.tolist() and memory["label"].tolist() == hidden.label.tolist()
        overlap.append(tiou(memory["start"], memory["end"], hidden.start, hidden.end).mean())
    assert overlap[0] == 1.0 > overlap[1] > overlap[2]


def test_noise_moves_pseudo_labels_and_chooses_no_others(world: TaskData[Videos]) -> None:
    few = {"floor": 0.0, "max_segments": 20, "n_pos": 3}
    plain, noisy = (train("npl", world, boundary_noise=noise, **few)[0].run.memory for noise in (0.0, 0.3))
    assert plain["pseudo_kept"].equal(noisy["pseudo_kept"]) and plain["pseudo_score"].equal(noisy["pseudo_score"])
    assert not plain["pseudo_start"].equal(noisy["pseudo_start"])


@pytest.mark.parametrize(("name", "floor"), [("npl", 1.0), ("npl-bmn", 1.0)])
def test_no_pseudo_label_survives(name: str, floor: float, world: TaskData[Videos]) -> None:
    loop, trained = train(name, world, floor=floor)
    assert len(loop.run.memory["pseudo_video"]) == 0
    assert trained.points["last"].phase == "pseudo-labelled"  # the second phase goes on with labelled videos alone


def test_pseudo_labels_are_of_unlabelled_videos_and_filtered(world: TaskData[Videos]) -> None:
    loop, _ = train("npl", world, floor=0.0, n_pos=4)
    memory = loop.run.memory
    owners = memory["pseudo_video"].numpy()
    assert not np.asarray(world.train.labelled)[owners].any()
    kept = memory["pseudo_kept"].numpy().astype(bool)
    assert 0 < kept.sum() < len(kept)
    assert np.bincount(owners[kept]).max() <= 4 + len(world.classes)


def test_ladder_switches_change_what_is_kept(world: TaskData[Videos]) -> None:
    kept = {}
    for ranking in (False, True):
        many = {"floor": 0.0, "suppression": "within", "point_classes": "every"}
        loop, _ = train("npl", world, n_pos=4, ranking=ranking, filtering="top", **many)
        kept[ranking] = loop.run.memory["pseudo_kept"].numpy()
    assert kept[True].sum() == kept[False].sum()
    assert not np.array_equal(kept[True], kept[False])


def test_learning_switch_replaces_the_regression(world: TaskData[Videos]) -> None:
    parts = {}
    for learning in (False, True):
        loop, _ = train("npl", world, floor=0.0, learning=learning)
        parts[learning] = {row["metric"] for row in loop.curves.points if row["phase"] == "pseudo-labelled"}
    assert "consistency" in parts[True] - parts[False]
    assert "pseudo_regression" in parts[False] - parts[True]


def test_second_phase_without_labelled_loss(world: TaskData[Videos]) -> None:
    loop, _ = train("npl", world, floor=0.0, keep_supervised=False)
    second = {row["metric"] for row in loop.curves.points if row["phase"] == "pseudo-labelled"}
    assert "classification" not in second
    assert "pseudo_classification" in second


@pytest.mark.parametrize("name", ["npl", "npl-bmn", "mean-teacher", "sstap", "spot"])
def test_all_videos_labelled(name: str, world: TaskData[Videos]) -> None:
    everything = replace(world, train=replace(world.train, labelled=np.ones(len(world.train), dtype=bool)))
    _, trained = train(name, everything)
    assert trained.complete


@pytest.mark.parametrize("name", ["actionformer", "bmn", "spot"])
def test_no_video_labelled_is_one_sentence(name: str, world: TaskData[Videos]) -> None:
    nothing = replace(world, train=replace(world.train, labelled=np.zeros(len(world.train), dtype=bool)))
    with pytest.raises(UsageError, match="labels no training video"):
        train(name, nothing)


def test_class_agnostic_needs_class_scores(world: TaskData[Videos]) -> None:
    with pytest.raises(UsageError, match="no class scores"):
        train("actionformer", world, class_agnostic=True)


@pytest.mark.parametrize("name", ["npl", "bmn"])
def test_class_agnostic_with_external_scores(name: str, world: TaskData[Videos]) -> None:
    splits = ("train", "validation", "test")
    scores = {split: np.asarray(world.split(split).video_labels, dtype=float) for split in splits}
    told = replace(world, facts={**world.facts, "class_scores": scores})
    _, trained = train(name, told, class_agnostic=True)
    found = trained.points["last"].predictions["test"]
    assert isinstance(found, Segments)
    assert len(np.unique(found.label)) == len(world.classes)


def with_segments(data: TaskData[Videos], change: Callable[[Segments], Segments]) -> TaskData[Videos]:
    return replace(data, train=replace(data.train, segments=change(data.train.segments)))


@pytest.mark.parametrize("name", ["npl", "npl-bmn", "spot"])
def test_strange_segments(name: str, world: TaskData[Videos]) -> None:
    """A video without segments, segments without length, behind the features, before them."""

    def change(known: Segments) -> Segments:
        known = known.take(known.video != int(np.flatnonzero(world.train.labelled)[0]))
        start, end = known.start.copy(), known.end.copy()
        end[::3] = start[::3]
        start[1::3] += 1e4
        end[1::3] += 1e4
        start[2::3] -= 5.0
        return Segments(known.video, known.label, start, end)

    _, trained = train(name, with_segments(world, change))
    assert trained.complete


def test_video_longer_than_training_and_positions(world: TaskData[Videos]) -> None:
    for encoding in (False, True):
        _, trained = train("actionformer", world, max_length=16, position_encoding=encoding)
        assert max(world.test.lengths) > 16
        assert trained.complete


def test_raw_and_averaged_weights_differ(world: TaskData[Videos]) -> None:
    scores = {}
    for weights in ("raw", "average"):
        _, trained = train("actionformer", world, evaluate_weights=weights, ema="published")
        scores[weights] = trained.scores["test"]["score"].sum()
    assert scores["raw"] != scores["average"]


def test_published_average_keeps_the_random_start(world: TaskData[Videos]) -> None:
    """The artefact that a short training shows: after n steps 0.999^n of the average is the initialization."""
    loop, _ = train("actionformer", world, ema="published")
    assert loop.run.teacher is not None
    name = "backbone.embd.0.conv.weight"
    moved = (loop.run.network.state_dict()[name] - loop.run.teacher.state_dict()[name]).norm()
    assert moved > 0
    loop, _ = train("actionformer", world, ema="warmup")
    assert loop.run.teacher is not None
    warm = (loop.run.network.state_dict()[name] - loop.run.teacher.state_dict()[name]).norm()
    assert warm < moved
