"""planted-videos: a pure function of its dials, with limits in which the right answer is known."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from suite.data.planted.videos import read
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
