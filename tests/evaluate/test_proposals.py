"""Recall of proposals: at multiples of the ground truth, and AR@AN against a slow reading of ActivityNet's tool."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from suite.evaluate.proposals import average_recall, recall_at_multiples
from suite.evaluate.protocols import ACTIVITYNET
from tests.evaluate import reference
from tests.evaluate.worlds import as_segments, segment_rows

TIOU = (0.3, 0.5, 0.75)


@given(segment_rows(scored=False, least=1), segment_rows(scored=True, least=1, most=30))
@settings(max_examples=40, deadline=None)
def test_average_recall_agrees_with_the_slow_reference(truth, found):
    known = {row[0] for row in truth}
    if not any(row[0] in known for row in found):
        return
    curve = average_recall(as_segments(truth, False), as_segments(found, True), limit=4, tiou=TIOU)
    rows = [(row[0], *row[2:4]) for row in truth], [(row[0], *row[2:]) for row in found]
    recall, proposals = reference.average_recall(*rows, 4, TIOU)
    np.testing.assert_allclose(curve.recall, recall, atol=1e-12)
    np.testing.assert_allclose(curve.proposals, proposals, atol=1e-12)
    assert 0.0 <= curve.area <= 1.0
    assert (np.diff(curve.average_recall) >= 0).all()
    assert curve.at(curve.proposals[-1]) == curve.average_recall[-1]


def test_recall_at_multiples_counts_per_video_and_class():
    truth = as_segments([(0, 1, 0.0, 10.0), (0, 1, 20.0, 30.0), (1, 1, 0.0, 10.0)], False)
    found = as_segments(
        [(0, 1, 50.0, 60.0, 0.9), (0, 1, 0.0, 10.0, 0.8), (0, 1, 20.0, 30.0, 0.7), (1, 1, 0.0, 10.0, 0.1)], True
    )
    recall = recall_at_multiples(truth, found, (1, 2), ACTIVITYNET.at(0.5))
    np.testing.assert_allclose(recall, [[[2 / 3, 1.0]]])
