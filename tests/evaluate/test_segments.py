"""Columns of segments, their overlaps, and names to numbers."""

from __future__ import annotations

import numpy as np

from suite.evaluate.segments import Segments, index_names, tiou, without_duplicates


def test_tiou_by_hand():
    np.testing.assert_allclose(tiou([0, 0, 5, 8], [10, 10, 5, 3], [5, 20, 0, 0], [15, 30, 10, 10]), [1 / 3, 0, 0, 0])
    assert tiou(0, 2, 2.5, 4.5, plus=1.0) == 0.5 / 5.5
    assert tiou(3, 3, 3, 3) == 0.0


def test_names_become_positions():
    places, known = index_names(["b", "x", "a", "x"], ["a", "b"])
    assert (places.tolist(), known) == ([1, -1, 0, -1], ["a", "b"])
    places, known = index_names(["b", "x", "a", "x"], ["a", "b"], grow=True)
    assert (places.tolist(), known) == ([1, 2, 0, 2], ["a", "b", "x"])


def test_duplicates_follow_the_first_kept_row():
    start = np.array([0.0008, 0.0, 0.0016, 0.0, 5.0])
    truth = Segments([0] * 5, [1, 1, 1, 2, 1], start, start + 1)
    assert without_duplicates(truth, 1e-3).tolist() == [True, False, False, True, True]
    assert without_duplicates(truth, 0.0).all()


def test_concatenate_and_take():
    scored = Segments([0], [1], [0.0], [1.0], [0.5])
    plain = Segments([2], [1], [0.0], [1.0])
    assert Segments.concatenate([scored, scored]).score.tolist() == [0.5, 0.5]
    assert Segments.concatenate([scored, plain]).score is None
    assert len(Segments.concatenate([])) == 0
    assert Segments.concatenate([scored, plain]).take([1]).video.tolist() == [2]
