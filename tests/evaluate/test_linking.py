"""Linking boxes into tubes: cases by hand, and a slow reading of the rule over random boxes."""

from __future__ import annotations

import numpy as np
import pytest

from suite.errors import UsageError
from suite.evaluate.boxes import Boxes, Tubes
from suite.evaluate.linking import Linking, link_boxes
from suite.evaluate.tubes import video_map
from tests.evaluate.reference import box_iou

ANY = Linking(shortest=1)
LEFT, RIGHT = (0.0, 0.0, 10.0, 10.0), (50.0, 0.0, 60.0, 10.0)


def linked(rows: list[tuple], linking: Linking = ANY) -> Tubes:
    """Tubes of rows (video, label, frame, box, score)."""
    video, label, frame, box, score = zip(*rows)
    return link_boxes(Boxes(frame, label, box, score), np.array(video), linking)


def spans(tubes: Tubes) -> list[tuple[int, int, int, int, float]]:
    """(video, label, first frame, frames, score) of each tube."""
    sizes = np.diff(tubes.offsets)
    columns = (tubes.video, tubes.label, tubes.first, sizes, np.round(tubes.score, 6))
    return sorted(tuple(one.item() for one in row) for row in zip(*columns))


def test_two_people_stay_two() -> None:
    rows = [(0, 1, frame, box, score) for frame in range(3, 9) for box, score in ((LEFT, 0.9), (RIGHT, 0.6))]
    assert spans(linked(rows)) == [(0, 1, 3, 6, 0.6), (0, 1, 3, 6, 0.9)]


def test_videos_and_classes_do_not_mix() -> None:
    rows = [(video, label, 1 + label, LEFT, 0.5) for video in (0, 1) for label in (0, 1)]
    assert spans(linked(rows)) == [(video, label, 1 + label, 1, 0.5) for video in (0, 1) for label in (0, 1)]


@pytest.mark.parametrize(("missed", "tubes"), [(0, 1), (5, 1), (6, 2)])
def test_a_tube_may_miss_five_frames(missed: int, tubes: int) -> None:
    moved = (5.0, 0.0, 15.0, 10.0)
    found = linked([(0, 0, 1, LEFT, 0.4), (0, 0, 2 + missed, moved, 0.8)])
    assert len(found) == tubes
    if tubes == 1:
        assert spans(found) == [(0, 0, 1, 2 + missed, 0.6)]
        middle = found.box[(1 + missed) // 2]
        share = ((1 + missed) // 2) / (1 + missed)
        np.testing.assert_allclose(middle, np.array(LEFT) + share * (np.array(moved) - LEFT))


def test_the_better_tube_takes_first_and_takes_the_better_box() -> None:
    """Both boxes of frame 2 overlap both tubes; the tube with 0.9 goes first and takes the box with 0.8."""
    near = (1.0, 0.0, 11.0, 10.0)
    found = linked([(0, 0, 1, LEFT, 0.1), (0, 0, 1, near, 0.9), (0, 0, 2, LEFT, 0.8), (0, 0, 2, near, 0.2)])
    assert spans(found) == [(0, 0, 1, 2, 0.15), (0, 0, 1, 2, 0.85)]


def test_limits() -> None:
    rows = [(0, 0, frame, box, score) for frame in range(1, 8) for box, score in ((LEFT, 0.9), (RIGHT, 0.6))]
    assert len(linked(rows, Linking())) == 0, "seven frames are too short"
    assert spans(linked(rows, Linking(shortest=7, top=1))) == [(0, 0, 1, 7, 0.9)]
    none = link_boxes(Boxes([], [], np.zeros((0, 4)), []), np.zeros(0, dtype=np.int64))
    assert len(none) == 0
    with pytest.raises(UsageError, match="no score column"):
        link_boxes(Boxes([0], [0], [LEFT]), np.zeros(1, dtype=np.int64))


def test_annotated_boxes_link_to_the_annotated_tubes() -> None:
    generator = np.random.default_rng(0)
    drift = np.cumsum(generator.uniform(-1, 1, (20, 1)), axis=0)
    boxes = [np.array(place) + drift for place in (LEFT, RIGHT)]
    truth = Tubes([0, 0], [3, 3], [5, 5], [0, 20, 40], np.concatenate(boxes))
    rows = [(0, 3, 5 + frame, tuple(box[frame]), 0.5) for box in boxes for frame in range(20)]
    assert video_map(truth, linked(rows, Linking()), (0.99,)).tolist() == [1.0]


def slow(rows: list[tuple], linking: Linking) -> list[tuple[int, int, int, int, float]]:
    done, alive = [], []
    for group in sorted({row[:2] for row in rows}):
        mine = sorted((row for row in rows if row[:2] == group), key=lambda row: (row[2], -row[4], row[3]))
        for frame in sorted({row[2] for row in mine}):
            left = [row for row in mine if row[2] == frame][: linking.top]
            alive = [tube for tube in alive if frame - tube[-1][2] - 1 <= linking.gap]
            for tube in sorted(alive, key=lambda tube: -np.mean([row[4] for row in tube])):
                fits = [row for row in left if box_iou(row[3], tube[-1][3], 0.0) >= linking.iou]
                if fits:
                    tube.append(fits[0])
                    left.remove(fits[0])
            new = [[row] for row in left]
            alive, done = alive + new, done + new
        alive = []
    found = [(*t[0][:3], t[-1][2] - t[0][2] + 1, round(float(np.mean([r[4] for r in t])), 6)) for t in done]
    return sorted(one for one in found if one[3] >= linking.shortest)


@pytest.mark.parametrize("seed", range(5))
def test_random_boxes_agree_with_the_slow_reading(seed: int) -> None:
    generator = np.random.default_rng(seed)
    low = generator.uniform(0, 20, (150, 2))
    corners = np.hstack([low, low + generator.uniform(2, 15, (150, 2))])
    ids = (generator.integers(0, limit, 150).tolist() for limit in (2, 2, 30))
    rows = list(zip(*ids, map(tuple, corners.tolist()), generator.random(150).tolist()))
    linking = Linking(iou=0.2, gap=2, top=3, shortest=2)
    assert spans(linked(rows, linking)) == slow(rows, linking)
