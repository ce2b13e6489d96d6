"""Video mAP over tubes, against hand-computed overlaps and a slow reading of the definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from suite.errors import UsageError
from suite.evaluate.boxes import Tubes
from suite.evaluate.protocols import UCF_ALL_FRAMES
from suite.evaluate.tubes import match_tubes, tube_overlap, video_map
from tests.evaluate.reference import box_iou

PLAIN = replace(UCF_ALL_FRAMES, pixel_boxes=False)


def tubes(*rows, scored: bool = False) -> Tubes:
    """Rows of (video, label, first frame, list of boxes[, score])."""
    boxes = np.array([box for row in rows for box in row[3]], dtype=float).reshape(-1, 4)
    offsets = np.cumsum([0, *(len(row[3]) for row in rows)])
    score = [row[4] for row in rows] if scored else None
    return Tubes([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows], offsets, boxes, score)


def test_overlap_is_mean_box_iou_times_temporal_iou():
    generator = np.random.default_rng(0)
    for _ in range(30):
        first, other_first = generator.integers(0, 6, 2)
        sizes = generator.integers(1, 7, 2)
        a, b = (np.hstack([c := generator.uniform(0, 5, (n, 2)), c + generator.uniform(1, 5, (n, 2))]) for n in sizes)
        ours, theirs = (set(range(start, start + n)) for start, n in zip((first, other_first), sizes))
        common = sorted(ours & theirs)
        space = np.mean([box_iou(a[f - first], b[f - other_first], 1.0) for f in common]) if common else 0.0
        expected = space * len(common) / len(ours | theirs)
        value = tube_overlap(first, a, 0, len(a), other_first, b, 0, len(b), 1.0)
        assert value == pytest.approx(expected, abs=1e-12)


def test_half_the_frames_is_half_the_overlap():
    still = [[0, 0, 4, 4]]
    truth = tubes((0, 1, 0, still * 8))
    found = tubes((0, 1, 0, still * 4, 0.9), scored=True)
    assert video_map(truth, found, (0.5, 0.51), PLAIN).tolist() == [1.0, 0.0]


def test_best_free_tube_or_best_tube():
    here, near = [[0, 0, 10, 10]] * 4, [[0, 0, 10, 8]] * 4
    truth = tubes((0, 1, 0, here), (0, 1, 0, near))
    found = tubes((0, 1, 0, here, 0.9), (0, 1, 0, [[0, 0, 10, 9.5]] * 4, 0.8), scored=True)
    assert video_map(truth, found, (0.5,), PLAIN)[0] == 1.0
    assert video_map(truth, found, (0.5,), replace(PLAIN, tubes="best"))[0] == pytest.approx(0.5)


def test_videos_and_classes_do_not_mix():
    still = [[0, 0, 4, 4]] * 3
    truth = tubes((0, 1, 0, still), (1, 2, 0, still))
    found = tubes((1, 1, 0, still, 0.9), (0, 2, 0, still, 0.9), (0, 1, 0, still, 0.1), scored=True)
    matches = match_tubes(truth, found, (0.5,), PLAIN)
    assert matches.average_precision().tolist() == [[0.5, 0.0]]


def test_mistakes_are_told():
    truth = tubes((0, 1, 0, [[0, 0, 1, 1]]))
    with pytest.raises(UsageError, match="no score column"):
        match_tubes(truth, truth)
    with pytest.raises(UsageError, match="ascending offsets"):
        Tubes([0], [1], [0], [0, 3], [[0, 0, 1, 1]])
