"""Equal scores: no order favours anybody, and what the order could change is known."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from suite.evaluate.boxes import Boxes
from suite.evaluate.protocols import ACTIVITYNET, AVA
from suite.evaluate.segments import Segments
from suite.evaluate.spatial import frame_map
from suite.evaluate.temporal import match_segments, temporal_map
from tests.evaluate.reference import envelope_area

HALF = ACTIVITYNET.at(0.5)


def submission(known: int, unknown: int) -> tuple[Segments, Segments]:
    """One segment per video and a detection of each, all with one score; ``unknown`` videos have no truth."""
    video = np.arange(known + unknown)
    zero, ten = np.zeros(len(video)), np.full(len(video), 10.0)
    truth = Segments(video[:known], zero[:known], zero[:known], ten[:known])
    return truth, Segments(video, zero, zero, ten, np.ones(len(video)))


def shuffled_area(known: int, unknown: int, orders: int = 200) -> float:
    """Mean AP over random orders of the detections."""
    generator = np.random.default_rng(0)
    hits = np.arange(known + unknown) < known
    return float(np.mean([envelope_area(generator.permutation(hits).tolist(), known) for _ in range(orders)]))


@pytest.mark.parametrize(("known", "unknown"), [(200, 10), (200, 60)])
def test_tied_predictions_in_unknown_videos_count_as_in_a_random_order(known: int, unknown: int) -> None:
    """By their place in the truth the known videos would come first, and AP would be 1."""
    value = temporal_map(*submission(known, unknown), HALF).average_map
    assert value == pytest.approx(shuffled_area(known, unknown), abs=0.02)


def test_the_order_of_rows_and_of_video_numbers_is_no_favour_either() -> None:
    truth, found = submission(200, 60)
    expected = shuffled_area(200, 60)
    values = []
    for shift in range(20):  # other numbers for the same videos, the unknown ones in front
        number = (np.arange(260) + 60 + 1000 * shift) % (260 + 1000 * shift)
        moved = temporal_map(replace(truth, video=number[truth.video]), replace(found, video=number[found.video]), HALF)
        values.append(moved.average_map)
    assert np.mean(values) == pytest.approx(expected, abs=0.01)
    backwards = temporal_map(truth, found.take(np.arange(len(found))[::-1]), HALF)
    assert backwards.average_map == temporal_map(truth, found, HALF).average_map


def test_boxes_with_equal_scores_are_in_no_favourable_order() -> None:
    box = np.tile([0.1, 0.1, 0.5, 0.5], (260, 1))
    frame, label = np.arange(260), np.zeros(260)
    result = frame_map(Boxes(frame[:200], label[:200], box[:200]), Boxes(frame, label, box, np.ones(260)), AVA)
    assert result.mean_ap == pytest.approx(shuffled_area(200, 60), abs=0.02)


def test_bounds_are_those_of_all_orders() -> None:
    """Every order of the tied detections, tried one by one."""
    truth = Segments([0, 1, 2], [0, 0, 0], [0.0] * 3, [10.0] * 3)
    rows = [(0, 0.0, 0.9), (9, 0.0, 0.5), (1, 0.0, 0.5), (8, 0.0, 0.5), (2, 0.0, 0.5), (7, 0.0, 0.1)]
    video, start, score = (np.array(column) for column in zip(*rows))
    found = Segments(video, np.zeros(6), start, start + 10, score)
    areas = [
        envelope_area([True, *(rows[place][0] < 3 for place in order), False], 3) for order in permutations(range(1, 5))
    ]
    matches = match_segments(truth, found, HALF)
    low, high = matches.tie_bounds()
    assert (low[0], high[0]) == pytest.approx((min(areas), max(areas)))
    assert min(areas) < max(areas) == 1.0
    assert int(matches.tied().sum()) == 4
    assert min(areas) <= matches.average_map() <= max(areas)


def test_without_ties_there_is_nothing_between_the_bounds() -> None:
    truth, found = submission(5, 5)
    matches = match_segments(truth, replace(found, score=np.arange(10.0)), HALF)
    low, high = matches.tie_bounds()
    assert not matches.tied().any()
    assert low[0] == high[0] == matches.average_map()
    none = match_segments(truth, Segments.empty(scored=True), HALF)
    assert none.tie_bounds()[0].tolist() == [0.0]
