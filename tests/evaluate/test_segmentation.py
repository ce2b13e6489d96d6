"""Frame accuracy, edit score and F1@k against slow readings of their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.errors import UsageError
from suite.evaluate.segmentation import edit_score, f1_at, frame_accuracy, mean_edit_score, run_counts, runs

LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=24)
PAIRS = st.integers(1, 24).flatmap(
    lambda size: st.tuples(*(st.lists(st.integers(0, 3), min_size=size, max_size=size) for _ in range(2)))
)


def slow_runs(labels, background):
    found = []
    for frame, label in enumerate(labels):
        if found and found[-1][0] == label and found[-1][2] == frame:
            found[-1] = (label, found[-1][1], frame + 1)
        else:
            found.append((label, frame, frame + 1))
    return [run for run in found if run[0] not in background]


def slow_distance(a, b) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(slow_distance(a[1:], b) + 1, slow_distance(a, b[1:]) + 1, slow_distance(a[1:], b[1:]) + (a[0] != b[0]))


def slow_counts(guess, label, overlap, background):
    truth, hits, false = slow_runs(label, background), set(), 0
    for value, start, end in slow_runs(guess, background):
        ious = [
            (min(end, e) - max(start, s)) / (max(end, e) - min(start, s)) if value == v else 0.0 for v, s, e in truth
        ]
        best = int(np.argmax(ious)) if ious else -1
        if best >= 0 and ious[best] >= overlap and best not in hits:
            hits.add(best)
        else:
            false += 1
    return len(hits), false, len(truth) - len(hits)


@given(LABELS)
@settings(max_examples=60, deadline=None)
def test_runs(labels):
    for background in ((), (0,)):
        assert list(zip(*(column.tolist() for column in runs(labels, background)))) == slow_runs(labels, background)


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(*(st.lists(st.integers(0, 2), min_size=n, max_size=n),) * 2)))
@settings(max_examples=60, deadline=None)
def test_edit_score(pair):
    names = [[run[0] for run in slow_runs(labels, ())] for labels in pair]
    expected = 1 - slow_distance(*names) / max(len(names[0]), len(names[1]))
    assert edit_score(*pair) == pytest.approx(expected)


@given(PAIRS, st.sampled_from([(), (0,)]))
@settings(max_examples=100, deadline=None)
def test_run_counts(pair, background):
    overlaps = (0.1, 0.25, 0.5)
    counts = run_counts([pair[0]], [pair[1]], overlaps, background)[0]
    assert [tuple(row) for row in counts.tolist()] == [slow_counts(*pair, overlap, background) for overlap in overlaps]


def test_scores_over_sequences():
    guess, truth = [[1, 1, 2, 2], [0, 0]], [[1, 1, 1, 2], [0, 0]]
    assert frame_accuracy(guess, truth) == pytest.approx(5 / 6)
    assert mean_edit_score(guess, truth) == 1.0
    np.testing.assert_allclose(f1_at(guess, truth, (0.5, 0.6)), [1.0, 2 * 2 / (2 * 2 + 1 + 1)])
    assert edit_score([0, 0], [0, 0], background=(0,)) == 1.0
    assert runs([])[0].tolist() == []


def test_mistakes_are_told():
    with pytest.raises(UsageError, match="sequence 0 has 1 predicted labels for 2 frames"):
        frame_accuracy([[1]], [[1, 1]])
    with pytest.raises(UsageError, match="1 predicted sequences for 2"):
        f1_at([[1]], [[1], [1]])
