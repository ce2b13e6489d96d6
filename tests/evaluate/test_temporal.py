"""Temporal mAP: properties on random worlds, agreement with the slow reference, and every switch of the protocol."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from suite.errors import UsageError
from suite.evaluate.protocols import (
    ACTIVITYNET,
    THUMOS_210,
    THUMOS_212,
    THUMOS_213,
    THUMOS_KIT,
    THUMOS_KIT_ELEVEN,
    WTALC,
    temporal_protocol,
)
from suite.evaluate.segments import Segments
from suite.evaluate.temporal import match_segments, temporal_map
from tests.evaluate import reference
from tests.evaluate.worlds import as_segments, segment_rows

LEVELS = ACTIVITYNET.at(0.1, 0.3, 0.5, 0.75)
TRUTH = segment_rows(scored=False, least=1)
FOUND = segment_rows(scored=True)


def table(truth, found, protocol=LEVELS) -> np.ndarray:
    return temporal_map(as_segments(truth, False), as_segments(found, True), protocol).ap


@given(TRUTH, FOUND, st.sampled_from(["envelope", "none", "eleven"]))
@settings(max_examples=120, deadline=None)
def test_agrees_with_the_slow_reference(truth, found, interpolation):
    protocol = replace(LEVELS, interpolation=interpolation)
    expected = reference.temporal_table(truth, found, LEVELS.tiou, interpolation)
    np.testing.assert_allclose(table(truth, found, protocol), expected, atol=1e-12)


@given(TRUTH, FOUND, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_of_rows_changes_nothing(truth, found, random):
    expected = table(truth, found)
    random.shuffle(truth)
    random.shuffle(found)
    np.testing.assert_array_equal(table(truth, found), expected)


@given(TRUTH, segment_rows(scored=True, least=1))
@settings(max_examples=60, deadline=None)
def test_a_lower_scored_false_positive_never_raises_ap(truth, found):
    lowest = min(row[4] for row in found)
    worse = [*found, (7, truth[0][1], 100.0, 101.0, lowest / 2)]
    assert (table(truth, worse) <= table(truth, found) + 1e-15).all()


def distinct_scores(rows):
    return [(*row[:4], row[4] + place * 1e-6) for place, row in enumerate(rows)]


@given(TRUTH, FOUND, st.sampled_from([0.25, 2.0, 64.0]))
@settings(max_examples=60, deadline=None)
def test_scaling_time_scales_nothing(truth, found, factor):
    found = distinct_scores(found)  # what a segment holds orders equal scores, and scaling changes that

    def scaled(rows):
        return [(row[0], row[1], row[2] * factor, row[3] * factor, *row[4:]) for row in rows]

    np.testing.assert_array_equal(table(scaled(truth), scaled(found)), table(truth, found))


@given(TRUTH, FOUND)
@settings(max_examples=60, deadline=None)
def test_only_the_order_of_scores_matters(truth, found):
    mapped = [(*row[:4], np.exp(3 * row[4]) - 10) for row in found]
    np.testing.assert_array_equal(table(truth, mapped), table(truth, found))


@given(TRUTH, FOUND, st.lists(st.integers(0, 3), min_size=3, max_size=3))
@settings(max_examples=80, deadline=None)
def test_weights_score_as_if_videos_were_copied(truth, found, copies):
    """Re-scoring with weights equals evaluating a test set in which each video stands that many times."""
    videos = range(len(copies))
    matches = match_segments(as_segments(truth, False), as_segments(found, True), LEVELS, videos)

    def copied(rows):
        return [(row[0] + 10 * copy, *row[1:]) for row in rows for copy in range(copies[row[0]])]

    assume(copied(truth))
    again = temporal_map(as_segments(copied(truth), False), as_segments(copied(found), True), LEVELS)
    # A tie across videos ranks by video id, and copies have new ids: compare where no score stands in two videos.
    owners = {}
    assume(all(owners.setdefault((row[1], row[4]), row[0]) == row[0] for row in found))
    weighted = matches.average_precision(np.array([copies], dtype=float))[0]
    present = ~np.isnan(weighted[0])
    np.testing.assert_array_equal(matches.classes[present], again.classes)
    within = {(row[0], row[1], row[4]) for row in found}
    assume(len(within) == len(found))
    np.testing.assert_allclose(weighted[:, present], again.ap, atol=1e-12)


def test_doctest_like_example_of_the_readme():
    truth = Segments([0], [3], [2.0], [7.0])
    found = Segments([0], [3], [2.0], [6.0], [0.9])
    assert temporal_map(truth, found, ACTIVITYNET.at(0.5, 0.9)).map_per_tiou.tolist() == [1.0, 0.0]


def one(*rows) -> Segments:
    return Segments(*(np.array(column) for column in zip(*rows)))


def test_thumos_kit_lets_the_truth_choose_and_forgives_ambiguous():
    truth = one((0, 1, 0.0, 10.0))
    found = one((0, 1, 0.0, 6.0, 0.9), (0, 1, 0.0, 10.0, 0.8), (0, 1, 20.0, 22.0, 0.7), (0, 1, 30.0, 31.0, 0.6))
    kit = THUMOS_KIT.at(0.5)
    matches = match_segments(truth, found, kit, ambiguous=one((0, 9, 21.0, 25.0)))
    assert matches.verdict.tolist() == [[-1, 0, -2, -1]]
    assert temporal_map(truth, found, kit).ap[0, 0] == pytest.approx(0.5)
    assert temporal_map(truth, found, THUMOS_KIT_ELEVEN.at(0.5)).ap[0, 0] == pytest.approx(0.5)
    late = one((0, 1, 0.0, 10.0, 0.9), (0, 1, 40.0, 50.0, 0.8), (0, 1, 20.0, 30.0, 0.7))
    both = one((0, 1, 0.0, 10.0), (0, 1, 20.0, 30.0))
    assert temporal_map(both, late, kit).ap[0, 0] == pytest.approx((1 + 2 / 3) / 2)
    assert temporal_map(both, late, THUMOS_KIT_ELEVEN.at(0.5)).ap[0, 0] == pytest.approx((6 + 5 * 2 / 3) / 11)
    assert match_segments(truth, one((0, 1, 0.0, 5.0, 1.0)), kit).verdict.tolist() == [[-1]], (
        "kit needs tIoU > threshold"
    )


def test_wtalc_takes_the_first_truth_and_drops_ambiguous_detections():
    truth = one((0, 1, 0.0, 10.0), (0, 1, 2.0, 12.0))
    found = one((0, 1, 2.0, 12.0, 0.9), (0, 1, 0.0, 10.0, 0.8), (0, 1, 20.0, 22.0, 1.0))
    matches = match_segments(truth, found, WTALC.at(0.5), ambiguous=one((0, 9, 19.0, 20.5)))
    assert matches.verdict.tolist() == [[0, 1]]
    result = temporal_map(truth, found, WTALC.at(0.5))
    assert result.ap[0, 0] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_minimum_lengths_and_duplicates():
    truth = one((0, 1, 0.0, 10.0), (0, 1, 0.0005, 10.0), (0, 1, 20.0, 20.0005), (0, 1, 30.0, 40.0))
    found = one((0, 1, 0.0, 10.0, 0.9), (0, 1, 30.0, 31.0, 0.8))
    strict = replace(LEVELS, duplicate_tolerance=1e-3, min_truth_length=1e-3, min_prediction_length=2.0)
    result = temporal_map(truth, found, strict)
    assert result.num_truth == 2
    assert len(result.matches.row) == 1
    assert temporal_map(truth, found, LEVELS).num_truth == 4


def test_video_list_drops_truth_and_detections_of_others():
    truth = one((0, 1, 0.0, 10.0), (5, 1, 0.0, 10.0))
    found = one((0, 1, 0.0, 10.0, 0.5), (5, 1, 50.0, 60.0, 0.9), (8, 1, 0.0, 1.0, 0.8))
    assert temporal_map(truth, found, LEVELS, videos=[0]).average_map == 1.0
    assert temporal_map(truth, found, LEVELS).average_map == pytest.approx(1 / 6)


def test_thumos_video_lists():
    subsets = {f"video_test_{number:07d}": "test" for number in (4, 270, 1292, 1496)}
    sizes = [len(protocol.videos(subsets, "Test")) for protocol in (THUMOS_210, THUMOS_212, THUMOS_213)]
    assert sizes == [1, 3, 4]
    assert THUMOS_213.videos(subsets, "testing") == []


def test_tie_rule_is_by_content():
    truth = one((0, 1, 0.0, 10.0))
    tied = one((0, 1, 50.0, 60.0, 0.5), (0, 1, 0.0, 10.0, 0.5))
    assert temporal_map(truth, tied, LEVELS).average_map == temporal_map(truth, tied.take([1, 0]), LEVELS).average_map
    assert temporal_map(truth, tied, replace(LEVELS, ties="reversed")).average_map == 1.0
    assert temporal_map(truth, tied.take([1, 0]), replace(LEVELS, ties="reversed")).average_map == 0.5


def test_mistakes_are_told():
    truth = one((0, 1, 0.0, 10.0))
    with pytest.raises(UsageError, match="no score column"):
        temporal_map(truth, truth)
    with pytest.raises(UsageError, match="1 predictions have a score that is not a number"):
        temporal_map(truth, one((0, 1, 0.0, 1.0, float("nan"))))
    with pytest.raises(UsageError, match="did you mean 'activitynet'"):
        temporal_protocol("activitinet")
    with pytest.raises(UsageError, match="columns of one length"):
        Segments([0, 1], [0], [0.0], [1.0])


def test_nothing_at_all():
    empty = temporal_map(Segments.empty(), Segments.empty(scored=True))
    assert np.isnan(empty.average_map)
    assert empty.ap.shape == (10, 0)
