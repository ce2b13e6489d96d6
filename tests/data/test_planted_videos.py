"""planted-videos: a pure function of its dials, with limits in which the right answer is known."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from suite.data.planted.snippet_states import VideoWorld
from suite.data.planted.timelines import SHORTEST, _filled
from suite.data.planted.videos import draw_looks, draw_timelines, read
from suite.data.storage.cards import find_card
from suite.errors import DataError, UsageError

SHARED = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
SMALL = {"videos": 24, "classes": 4, "video_seconds": 60.0, "channels": 16}


def world(folder: Path = Path("nowhere"), **dials):
    card = find_card("planted-videos")
    values = card.resolve_dials({**SMALL, **dials})
    return read(card, folder, values, "weak-localization")


def test_same_dials_same_bytes_and_more_videos_leave_the_first_alone():
    one, again, more = world(), world(), world(videos=48)
    assert one.test.rows.tobytes() == again.test.rows.tobytes()
    assert np.array_equal(one.test.segments.start, again.test.segments.start)
    known = one.train.offsets[3]
    assert more.train.offsets[3] == known
    assert not np.array_equal(world(world_seed=1).test.rows[:50], one.test.rows[:50])


def digest(data) -> str:
    found = hashlib.sha256()
    for videos in (data.train, data.validation, data.test):
        oracle = [videos.oracle[name] for name in ("inside", "posterior", "context", "hard")]
        for array in (videos.rows, videos.segments.start, videos.segments.end, videos.segments.label, *oracle):
            found.update(array.tobytes())
    return found.hexdigest()[:16]


@pytest.mark.parametrize(
    ("dials", "expected"),
    [
        ({}, "26dc3c53c1057df2"),
        ({"class_snr": 6.0, "context": 0.9, "boundary_width": 0.0}, "02cd0bca76345158"),
        (
            {"annotation_jitter": 1.0, "co_occurrence": 1.0, "boundary_width": 5.0, "class_snr": 0.0},
            "144bddee4767d4e1",
        ),
    ],
)
def test_with_its_dials_alone_version_1_is_drawn_bit_by_bit(dials, expected):
    assert digest(world(**dials)) == expected  # computed with version 1


def test_splits_are_disjoint_and_sized_as_the_card_says():
    data = world()
    sizes = [len(data.split(name)) for name in ("train", "validation", "test")]
    assert sizes == [12, 4, 8]
    units = [set(data.split(name).unit) for name in ("train", "validation", "test")]
    assert not (units[0] & units[1] or units[0] & units[2] or units[1] & units[2])


def test_timelines_resemble_the_annotations_they_were_fitted_to():
    data = world(videos=300, classes=10, video_seconds=144.0, channels=4, annotation_jitter=0.0, co_occurrence=0.0)
    videos, segments = data.train, data.train.segments
    assert 2.4 < np.median(segments.length) < 3.8
    assert 0.25 < videos.oracle["inside"].any(axis=1).mean() < 0.42
    assert 120 < np.median(videos.duration) < 170
    assert (segments.start >= 0).all()
    assert (segments.end <= videos.duration[segments.video] + 1e-9).all()


def test_annotated_segments_agree_with_the_snippet_truth():
    videos = world(annotation_jitter=0.0, boundary_width=0.0, noise_correlation=0.0).test
    for video in range(len(videos)):
        rows = videos.segments.take(videos.segments.video == video)
        centre = (np.arange(videos.lengths[video]) + 0.5) * videos.snippet_seconds[video]
        inside = np.zeros((len(centre), 4), dtype=bool)
        for start, end, label in zip(rows.start, rows.end, rows.label):
            inside[(centre >= start) & (centre <= end), label] = True
        truth = videos.oracle["inside"][videos.offsets[video] : videos.offsets[video + 1]]
        assert (inside != truth).any(axis=1).mean() < 0.06  # annotations are rounded to a tenth of a second


def test_nested_class_is_annotated_twice():
    videos = world(co_occurrence=0.0).train
    first = videos.video_labels[:, 0]
    assert first.any()
    assert videos.video_labels[first, 1].all()
    assert not world(nested=False, co_occurrence=0.0).train.video_labels[:, :2].all(axis=1).any()


def test_with_endless_signal_the_posterior_is_the_truth():
    videos = world(class_snr=100.0, actionness_snr=100.0).test
    assert np.abs(videos.oracle["posterior"] - videos.oracle["inside"]).max() < 1e-3


def test_without_signal_a_snippet_tells_nothing():
    videos = world(class_snr=0.0, actionness_snr=0.0).test
    for video in range(len(videos)):
        posterior = videos.oracle["posterior"][videos.offsets[video] : videos.offsets[video + 1]]
        assert np.ptp(posterior, axis=0).max() < 1e-5
    assert abs(videos.rows.mean()) < 0.05


def test_posterior_is_calibrated():
    videos = world(videos=200, channels=32).test
    posterior, truth = videos.oracle["posterior"].ravel(), videos.oracle["inside"].ravel()
    for low in (0.05, 0.3, 0.6, 0.9):
        chosen = (posterior >= low) & (posterior < low + 0.1)
        assert chosen.sum() > 100
        assert abs(posterior[chosen].mean() - truth[chosen].mean()) < 0.08


def test_scenes_hold_class_evidence_but_no_action():
    data = world(context=1.0, actionness_snr=5.0, noise_correlation=0.0)
    scene, inside = data.train.oracle["context"], data.train.oracle["inside"].any(axis=1)
    assert scene.mean() > 0.1
    assert not (scene & inside).any()
    assert not world(context=0.0).train.oracle["context"].any()


def test_noise_is_correlated_from_snippet_to_snippet_with_unit_variance():
    videos = world(class_snr=0.0, actionness_snr=0.0, noise_correlation=0.8, videos=60).train
    first, second = videos.features(0)[:-1].ravel(), videos.features(0)[1:].ravel()
    assert abs(np.corrcoef(first, second)[0, 1] - 0.8) < 0.1
    assert abs(videos.rows.std() - 1) < 0.05


def test_odd_width_is_refused():
    with pytest.raises(UsageError, match="odd"):
        world(channels=15)


def test_real_timelines():
    if not (SHARED / "thumos14" / "thumos14_412.json").exists():
        pytest.skip(f"no THUMOS-14 annotations below {SHARED}: set SUITE_DATA")
    data = world(SHARED, timelines="thumos14")
    assert len(data.classes) == 20
    assert [len(data.split(name)) for name in ("train", "validation", "test")] == [150, 50, 212]
    assert data.test.unit[0].startswith("video_test_")


def test_missing_or_foreign_annotations_are_told(tmp_path):
    with pytest.raises(DataError, match="not there"):
        world(tmp_path, timelines="thumos14")
    (tmp_path / "thumos14").mkdir()
    (tmp_path / "thumos14" / "thumos14_412.json").write_text("{}")
    with pytest.raises(DataError, match="SHA-256"):
        world(tmp_path, timelines="thumos14")


def mean_along(data, rows, direction):
    return float((np.asarray(data.train.rows, dtype=np.float64)[rows] @ direction).mean())


def test_context_of_its_own_has_no_class_evidence():
    dials = {"context": 1.0, "actionness_snr": 0.0, "nested": False, "co_occurrence": 0.0, "channels": 256}
    same, own = world(**dials), world(context_kind="own", context_snr=6.0, **dials)
    looks = {name: draw_looks(4, VideoWorld(dict(SMALL, **values))) for name, values in looked(dials).items()}
    for data, look, expected in ((same, looks["same"], 3.0), (own, looks["own"], 0.0)):
        scene = data.train.oracle["context"] & (np.repeat(np.arange(12), data.train.lengths) % 4 == 2)
        assert abs(mean_along(data, scene, look.classes[2]) - expected) < 0.6
    scene = own.train.oracle["context"] & (np.repeat(np.arange(12), own.train.lengths) % 4 == 2)
    assert abs(mean_along(own, scene, looks["own"].scenes[2, 0]) - 6.0) < 0.6
    assert np.array_equal(same.train.oracle["inside"], own.train.oracle["inside"])


def looked(dials):
    card = find_card("planted-videos")
    kinds = {"same": {}, "own": {"context_kind": "own", "context_snr": 6.0}}
    return {name: card.resolve_dials({**SMALL, **dials, **kind}) for name, kind in kinds.items()}


def test_videos_of_a_class_are_shot_in_several_scenes():
    data = world(context=1.0, context_kind="own", scenes=3, context_snr=50.0, class_snr=0.0, nested=False, videos=60)
    means = []
    for video in np.flatnonzero(data.train.video_labels[:, 1] & (data.train.video_labels.sum(axis=1) == 1)):
        rows = data.train.oracle["context"][data.train.offsets[video] : data.train.offsets[video + 1]]
        if rows.any():
            means.append(data.train.features(video)[rows].mean(axis=0))
    assert len({tuple(np.sign(mean)) for mean in np.array(means)}) == 3


@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_share_of_action_is_what_the_dial_says(share):
    data = world(action_share=share, videos=60, boundary_width=0.0)
    assert data.facts["premises"]["share of action"] == pytest.approx(share, abs=0.05)
    assert (data.train.segments.end <= data.train.duration[data.train.segments.video] + 1e-9).all()


def test_instances_fill_their_share_whatever_is_drawn():
    """The last instance, where the cut leaves too little of it, goes to the one before: with two there is one left."""
    counts = set()
    for seed in range(400):
        start, end = _filled(np.random.default_rng(seed), 60.0, 1.0, 0.2)
        counts.add(len(start))
        assert np.subtract(end, start).sum() == pytest.approx(12.0, abs=0.03)
        assert min(np.subtract(end, start)) >= SHORTEST - 0.02 or len(start) == 1
    assert {1, 2, 3} <= counts


def test_separation_after_ramps_follows_lengths_and_ramps():
    found = [
        world(videos=60, hard_instances=0.0, **dials).facts["premises"]["separation of actionness"]
        for dials in ({"boundary_width": 0.0}, {"boundary_width": 6.0}, {"boundary_width": 6.0, "instance_scale": 4.0})
    ]
    assert found[0] == pytest.approx(2.0, abs=0.01)
    assert found[1] < 0.8 * found[0]
    assert found[1] + 0.2 < found[2] < found[0]
    assert world(actionness_snr=0.0).facts["premises"]["separation of actionness"] == 0


def test_confusable_pairs_look_alike_and_one_is_weaker():
    card = find_card("planted-videos")
    dials = card.resolve_dials({"channels": 2000, "confusable": 0.8, "pair_strength": 0.5})
    directions = draw_looks(5, VideoWorld(dials)).classes
    length = np.linalg.norm(directions, axis=1)
    assert length.tolist() == pytest.approx([1.0, 0.5, 1.0, 0.5, 1.0])
    cosine = directions @ directions.T / np.outer(length, length)
    assert cosine[0, 1] == pytest.approx(0.8, abs=0.06) and abs(cosine[0, 2]) < 0.1 and abs(cosine[3, 4]) < 0.1


def test_annotators_agree_less_about_long_ramps():
    dials = {"videos": 200, "annotation_jitter": 0.0, "boundary_width": 3.0, "ramp_spread": 1.0, "nested": False}
    exact, rough = world(**dials).train, world(ramp_jitter=0.5, **dials).train
    _, timelines = draw_timelines(find_card("planted-videos").resolve_dials({**SMALL, **dials}), Path(), {})
    ramp = np.concatenate([timeline.ramp for timeline in timelines["train"]])
    assert len(ramp) == len(exact.segments) and np.ptp(ramp) > 5
    moved = np.abs(rough.segments.start - exact.segments.start)
    assert moved[ramp > 5].mean() > 2 * moved[ramp < 2].mean()
