"""Frame mAP: properties, the slow reference, and the switches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.errors import UsageError
from suite.evaluate.boxes import Boxes
from suite.evaluate.protocols import AVA, AVA_LISTING, AVA_TOP50, UCF_ANNOTATED
from suite.evaluate.spatial import frame_map
from tests.evaluate import reference
from tests.evaluate.worlds import as_boxes, box_rows

TRUTH = box_rows(scored=False, least=1)
FOUND = box_rows(scored=True)


def table(truth, found, protocol=AVA) -> np.ndarray:
    return frame_map(as_boxes(truth, False), as_boxes(found, True), protocol).ap


@given(TRUTH, FOUND, st.booleans())
@settings(max_examples=120, deadline=None)
def test_agrees_with_the_slow_reference(truth, found, pixels):
    labels = sorted({row[1] for row in truth})
    expected = [reference.frame_ap(truth, found, label, 0.5, float(pixels)) for label in labels]
    np.testing.assert_allclose(table(truth, found, replace(AVA, pixel_boxes=pixels)), expected, atol=1e-12)


@given(TRUTH, FOUND, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_of_rows_changes_nothing(truth, found, random):
    expected = table(truth, found)
    random.shuffle(truth)
    random.shuffle(found)
    np.testing.assert_array_equal(table(truth, found), expected)


@given(TRUTH, box_rows(scored=True, least=1))
@settings(max_examples=60, deadline=None)
def test_a_lower_scored_false_positive_never_raises_ap(truth, found):
    worse = [*found, (9, truth[0][1], (0.0, 0.0, 1.0, 1.0), min(row[3] for row in found) / 2)]
    assert (table(truth, worse) <= table(truth, found) + 1e-15).all()


@given(TRUTH, FOUND)
@settings(max_examples=60, deadline=None)
def test_only_the_order_of_scores_matters_and_pixels_have_no_unit(truth, found):
    # What a box holds orders equal scores, and scaling changes that.
    found = [(*row[:3], row[3] + place * 1e-6) for place, row in enumerate(found)]
    mapped = [(row[0], row[1], tuple(64 * x for x in row[2]), row[3] ** 3 - 5) for row in found]
    scaled = [(row[0], row[1], tuple(64 * x for x in row[2])) for row in truth]
    np.testing.assert_array_equal(table(scaled, mapped), table(truth, found))


def test_no_second_choice():
    truth = Boxes([0, 0], [1, 1], [[0, 0, 10, 10], [0, 0, 10, 8]])
    found = Boxes([0, 0], [1, 1], [[0, 0, 10, 10], [0, 0, 10, 9.5]], [0.9, 0.8])
    assert frame_map(truth, found).mean_ap == pytest.approx(0.5)


def test_listing_order_lets_the_first_row_claim():
    truth = Boxes([0], [1], [[0, 0, 10, 10]])
    found = Boxes([0, 0], [1, 1], [[0, 0, 10, 9], [0, 0, 10, 10]], [0.3, 0.9])
    assert frame_map(truth, found, AVA).mean_ap == 1.0
    assert frame_map(truth, found, AVA_LISTING).mean_ap == 0.5


def test_top_per_frame_whitelist_and_excluded_frames():
    truth = Boxes([0, 1], [1, 1], [[0, 0, 1, 1]] * 2)
    box = [[5.0, 5.0, 6.0, 6.0]] * 50 + [[0.0, 0.0, 1.0, 1.0]]
    found = Boxes([0] * 51, [1] * 51, box, np.linspace(1, 0.5, 51))
    assert frame_map(truth, found, AVA, excluded_frames=[1]).mean_ap == pytest.approx(1 / 51)
    assert frame_map(truth, found, AVA_TOP50, excluded_frames=[1]).mean_ap == 0.0
    listed = frame_map(truth, found, AVA, classes=[1, 2])
    assert np.isnan(listed.ap[1])
    assert listed.false_positives.tolist() == [50, 0]


def test_annotated_frames_only():
    truth = Boxes([0], [1], [[0, 0, 1, 1]])
    found = Boxes([0, 7], [1, 1], [[0, 0, 1, 1]] * 2, [0.5, 0.9])
    assert frame_map(truth, found, UCF_ANNOTATED).mean_ap == 1.0
    assert frame_map(truth, found, AVA).mean_ap == 0.5


def test_mistakes_are_told():
    box = Boxes([0], [1], [[0, 0, 1, 1]])
    with pytest.raises(UsageError, match="no score column"):
        frame_map(box, box)
    with pytest.raises(UsageError, match="1 boxes have a score that is not a number"):
        Boxes([0], [1], [[0, 0, 1, 1]], [float("nan")])
