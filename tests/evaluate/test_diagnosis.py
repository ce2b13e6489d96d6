"""Error types, profiles and snippet counts on worlds whose errors are known by construction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from suite.errors import UsageError
from suite.evaluate import diagnosis
from suite.evaluate.diagnosis import (
    BACKGROUND,
    CONFUSION,
    DOUBLE_DETECTION,
    ERROR_TYPES,
    LOCALIZATION,
    THUMOS_BINS,
    TRUE_POSITIVE,
    WRONG_LABEL,
)
from suite.evaluate.protocols import ACTIVITYNET
from suite.evaluate.segments import Segments
from suite.evaluate.snippets import covered, snippet_counts
from suite.evaluate.temporal import match_segments
from tests.evaluate.reference import iou
from tests.evaluate.worlds import as_segments, segment_rows

HALF = ACTIVITYNET.at(0.5)
TRUTH = [(0, 1, 0.0, 10.0), (0, 2, 40.0, 50.0), (1, 1, 0.0, 10.0)]
FOUND = [
    (0, 1, 0.0, 10.0, 0.9, TRUE_POSITIVE),
    (0, 1, 1.0, 10.0, 0.8, DOUBLE_DETECTION),
    (0, 1, 40.0, 49.0, 0.7, WRONG_LABEL),
    (0, 1, 6.0, 12.0, 0.6, LOCALIZATION),
    (0, 1, 46.0, 52.0, 0.5, CONFUSION),
    (0, 1, 70.0, 80.0, 0.4, BACKGROUND),
    (7, 1, 0.0, 10.0, 0.3, BACKGROUND),
]


@pytest.fixture
def world():
    truth, found = as_segments(TRUTH, False), as_segments([row[:5] for row in FOUND], True)
    return truth, found, match_segments(truth, found, HALF)


def test_each_error_gets_its_name(world):
    kinds = diagnosis.error_types(*world)
    assert kinds[0].tolist() == [row[5] for row in FOUND]


def test_profile_counts_the_best_k_times_n(world):
    kinds = diagnosis.error_types(*world)
    profile = diagnosis.false_positive_profile(world[2], kinds, (1, 2, 10))
    assert profile.shape == (1, 3, len(ERROR_TYPES))
    assert profile[0, 0].tolist() == [1, 1, 0, 0, 0, 0], "class 1 has two ground truths"
    assert profile[0, 1].tolist() == [1, 1, 1, 1, 0, 0]
    assert profile[0, 2].tolist() == [1, 1, 1, 1, 1, 2]


@given(segment_rows(scored=False, least=1), segment_rows(scored=True))
@settings(max_examples=60, deadline=None)
def test_types_follow_the_best_overlap_of_any_class(truth, found):
    columns = as_segments(truth, False), as_segments(found, True)
    matches = match_segments(*columns, HALF)
    kinds = diagnosis.error_types(*columns, matches)
    for rank, kind in enumerate(kinds[0]):
        video, label, start, end = found[matches.row[rank]][:4]
        ranked = [(iou((start, end), row[2:4]), row[1] == label) for row in truth if row[0] == video]
        best, own = max(ranked, default=(0.0, False))
        if matches.verdict[0, rank] >= 0:
            expected = TRUE_POSITIVE
        elif best < 0.1:
            expected = BACKGROUND
        elif best < 0.5:
            expected = LOCALIZATION if own else CONFUSION
        else:
            expected = DOUBLE_DETECTION if own else WRONG_LABEL
        assert kind == expected


def test_gains_are_what_removal_brings(world):
    truth, found, matches = world
    kinds = diagnosis.error_types(truth, found, matches)
    gained = diagnosis.gains(matches, kinds)
    assert gained[0, TRUE_POSITIVE] == 0.0
    without = found.take([row for row in range(len(found)) if FOUND[row][5] != DOUBLE_DETECTION])
    again = diagnosis.normalized_map(match_segments(truth, without, HALF))
    assert gained[0, DOUBLE_DETECTION] == pytest.approx(float(again[0] - diagnosis.normalized_map(matches)[0]))
    assert (gained >= 0).all()


def test_normalized_map_makes_frequent_and_rare_classes_alike():
    frequent = [(0, 1, 10.0 * k, 10.0 * k + 5) for k in range(8)] + [(1, 2, 0.0, 5.0), (2, 2, 0.0, 5.0)]
    found = [(*row, 0.5 - 0.01 * place) for place, row in enumerate(frequent)] + [
        (3, 1, 0.0, 5.0, 0.9),
        (3, 2, 0.0, 5.0, 0.9),
    ]
    matches = match_segments(as_segments(frequent, False), as_segments(found, True), HALF)
    plain = matches.average_precision()[0]
    normal = matches.average_precision(normalizer=diagnosis.mean_positives(matches))[0]
    assert diagnosis.mean_positives(matches) == 5.0
    np.testing.assert_allclose(plain, [8 / 9, 2 / 3])
    np.testing.assert_allclose(normal, [5 / 6, 5 / 6])


def test_missed_ground_truths_and_their_bins(world):
    truth, _, matches = world
    lost = diagnosis.missed(matches)
    assert dict(zip(matches.truth_row.tolist(), lost[0].tolist())) == {0: False, 1: True, 2: True}
    values = diagnosis.characteristics(
        truth.take(matches.truth_row), durations=np.array([100.0, 100.0, 1000.0])[matches.truth_row]
    )
    assert values["instances"].tolist() == [1.0, 1.0, 1.0]
    bins = THUMOS_BINS["coverage"].of(values["coverage"])
    names = [THUMOS_BINS["coverage"].names[place] for place in bins]
    assert dict(zip(matches.truth_row.tolist(), names)) == {0: "XL", 1: "XL", 2: "XS"}
    rates, total = diagnosis.false_negative_profile(lost, bins, 5)
    assert total.tolist() == [1, 0, 0, 0, 2]
    np.testing.assert_array_equal(rates, [[1.0, np.nan, np.nan, np.nan, 0.5]])


def test_a_match_at_hopeless_precision_is_a_miss():
    truth = as_segments([(0, 1, 0.0, 10.0)], False)
    noise = [(5, 1, float(k), k + 1.0, 0.9) for k in range(40)]
    matches = match_segments(truth, as_segments([*noise, (0, 1, 0.0, 10.0, 0.1)], True), HALF)
    assert matches.verdict[0, -1] == 0
    assert diagnosis.missed(matches).tolist() == [[True]]
    assert diagnosis.missed(matches, least_precision=0.0).tolist() == [[False]]


def test_bins_are_closed_on_the_right():
    assert THUMOS_BINS["length"].of([0.0, 3.0, 3.01, 18.0, 1e9]).tolist() == [0, 0, 1, 3, 4]
    assert THUMOS_BINS["instances"].of([1, 2, 40, 41, 81]).tolist() == [0, 1, 1, 2, 3]


def test_snippets():
    truth = Segments([0, 0, 1], [1, 1, 1], [1.0, 2.0, 0.0], [3.0, 4.0, 9.0])
    mask = covered(truth, 0, 6, seconds=1.0)
    assert mask.tolist() == [False, True, True, True, False, False]
    assert covered(truth, 0, 6, seconds=1.0).dtype == bool
    counts = snippet_counts([[True, True, False, False, False, False]], [mask])
    assert (counts.true_positives, counts.context_errors, counts.actionness_errors, counts.true_negatives) == (
        1,
        1,
        2,
        2,
    )
    better = snippet_counts([mask], [mask])
    assert better.change_from(counts)["false_positives"] == -1.0
    assert np.isnan(counts.change_from(better)["false_positives"])
    with pytest.raises(UsageError, match="video 0 has masks"):
        snippet_counts([[True]], [mask])
