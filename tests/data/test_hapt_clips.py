"""HAPT cut into clips: where cuts fall, what stays annotated, and the real archive where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from suite.data import find_card, load
from suite.data.readers.hapt_clips import clips_of, cuts, transitions_of
from suite.data.readers.hapt_signals import RATE, Recording

REAL = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")


def recording(spans: list[tuple[int, int]], length: int) -> Recording:
    start, end = np.array(spans).T
    signals = np.random.default_rng(0).normal(size=(length, 6)).astype(np.float32)
    return Recording("exp01", 1, signals, np.arange(len(spans)), start, end)


def test_cuts_move_to_the_nearest_background():
    background = np.zeros(1000, bool)
    background[180:185] = True
    background[330:340] = True
    assert cuts(background, 200) == [0, 184, 339, 539, 739, 1000]
    background[:] = True
    assert cuts(background, 200) == [0, 200, 400, 600, 800, 1000]


def test_a_short_rest_joins_the_last_clip():
    assert cuts(np.ones(290, bool), 200) == [0, 290]
    assert cuts(np.ones(310, bool), 200) == [0, 200, 310]


def test_clips_keep_every_annotated_sample_and_leave_out_empty_ones():
    seconds = 4.0
    length = int(20 * RATE)
    whole = recording([(10, 120), (130, 700)], length)
    clips = clips_of(whole, seconds)
    assert sum(int((clip.end - clip.start).sum()) for clip in clips) == 110 + 570
    assert all(len(clip.label) for clip in clips)
    assert sum(map(len, clips)) < length  # the end of the recording holds nothing
    assert all((clip.start >= 0).all() and (clip.end <= len(clip)).all() for clip in clips)


def test_transitions_alone_leave_the_signals_and_free_the_rest():
    whole = recording([(10, 120), (130, 150), (160, 300), (310, 330), (340, 500), (510, 600), (610, 640)], 1000)
    short = transitions_of(whole)
    assert short.label.tolist() == [0] and short.start.tolist() == [610] and short.end.tolist() == [640]
    assert short.signals is whole.signals and (short.sample_labels() < 0).sum() == 970


@pytest.mark.parametrize("name", [pytest.param("hapt-clips-30", marks=pytest.mark.slow), "hapt-clips-60"])
def test_the_real_archive_cut_into_clips(name, tmp_path):
    if not (REAL / "hapt").is_dir():
        pytest.skip(f"no HAPT archive below {REAL}: set SUITE_DATA")
    data, card = load(name, root=REAL, cache=tmp_path), find_card(name)
    sizes = {split: len(data.split(split)) for split in ("train", "validation", "test")}
    assert sizes == {split: getattr(card.splits, split) for split in sizes}
    assert sum(sizes.values()) == card.counts["clips"]
    seconds = float(card.options["seconds"])
    assert abs(np.median(data.train.duration) - seconds) < 0.1 * seconds
    assert data.train.video_labels.any(axis=1).all()
    assert data.train.rows.shape[1] == card.layout.channels
