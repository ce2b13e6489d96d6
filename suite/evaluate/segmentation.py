"""Segmentation-style metrics of untrimmed sequences: frame accuracy, edit score and F1@k.

Convention of the temporal convolution line of work (Lea et al. 2017; MS-TCN): a sequence is one label per frame,
segments are runs of equal labels, runs of ``background`` labels are left out of edit score and F1. Everything is a
share (0..1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from suite.errors import UsageError
from suite.evaluate.compiling import compiled
from suite.evaluate.segments import Floats, Ints

OVERLAPS = (0.1, 0.25, 0.5)
"""The overlaps of F1@{10,25,50}."""


def runs(labels: ArrayLike, background: ArrayLike = ()) -> tuple[Ints, Ints, Ints]:
    """Label, first frame and end frame (exclusive) of every run of equal labels (T,) that is not background."""
    frames = np.asarray(labels).reshape(-1)
    edges = np.flatnonzero(np.diff(frames)) + 1
    start = np.concatenate([np.zeros(min(1, len(frames)), dtype=np.int64), edges])
    end = np.concatenate([edges, [len(frames)]])[: len(start)]
    kept = ~np.isin(frames[start], background)
    return frames[start][kept].astype(np.int64), start[kept], end[kept]


def frame_accuracy(predicted: Sequence[ArrayLike], truth: Sequence[ArrayLike]) -> float:
    """Share of frames of all sequences whose label is right; NaN without frames."""
    right = total = 0
    for guess, label in _pairs(predicted, truth):
        right += int((guess == label).sum())
        total += len(label)
    return right / total if total else float("nan")


def edit_score(predicted: ArrayLike, truth: ArrayLike, background: ArrayLike = ()) -> float:
    """1 - Levenshtein distance of the two run-label strings over the longer length; 1 when both are empty."""
    guess, label = runs(predicted, background)[0], runs(truth, background)[0]
    longest = max(len(guess), len(label))
    return 1.0 - _levenshtein(guess, label) / longest if longest else 1.0


def mean_edit_score(predicted: Sequence[ArrayLike], truth: Sequence[ArrayLike], background: ArrayLike = ()) -> float:
    """Mean of :func:`edit_score` over sequences; NaN without sequences."""
    scores = [edit_score(guess, label, background) for guess, label in _pairs(predicted, truth)]
    return float(np.mean(scores)) if scores else float("nan")


def run_counts(
    predicted: Sequence[ArrayLike],
    truth: Sequence[ArrayLike],
    overlaps: ArrayLike = OVERLAPS,
    background: ArrayLike = (),
) -> Ints:
    """(S, K, 3) true positives, false positives and missed runs of each sequence at each overlap.

    Predicted runs in time order look at the ground-truth run of their label with the highest IoU; it counts if the IoU
    reaches the overlap and nobody hit that run before. Sum over sequences (or a resample of them) before taking F1.
    """
    levels = np.asarray(overlaps, dtype=np.float64).reshape(-1)
    counts = np.zeros((len(truth), len(levels), 3), dtype=np.int64)
    for place, (guess, label) in enumerate(_pairs(predicted, truth)):
        counts[place] = _hits(*runs(guess, background), *runs(label, background), levels)
    return counts


def f1_at(
    predicted: Sequence[ArrayLike],
    truth: Sequence[ArrayLike],
    overlaps: ArrayLike = OVERLAPS,
    background: ArrayLike = (),
) -> Floats:
    """(K,) F1 at each overlap over all sequences together; 0 where there is nothing to find and nothing found."""
    true, false, missed = run_counts(predicted, truth, overlaps, background).sum(axis=0).T
    return 2 * true / np.maximum(2 * true + false + missed, 1)


def _pairs(predicted: Sequence[ArrayLike], truth: Sequence[ArrayLike]) -> list[tuple[Ints, Ints]]:
    if len(predicted) != len(truth):
        raise UsageError(f"{len(predicted)} predicted sequences for {len(truth)} true ones: give one a sequence")
    pairs = [(np.asarray(guess).reshape(-1), np.asarray(label).reshape(-1)) for guess, label in zip(predicted, truth)]
    for place, (guess, label) in enumerate(pairs):
        if len(guess) != len(label):
            raise UsageError(
                f"sequence {place} has {len(guess)} predicted labels for {len(label)} frames: give one per frame"
            )
    return pairs


@compiled
def _levenshtein(first: Ints, second: Ints) -> float:
    row = np.arange(len(second) + 1)
    for i in range(len(first)):
        diagonal, row[0] = row[0], i + 1
        for j in range(len(second)):
            swap = diagonal + (first[i] != second[j])
            diagonal = row[j + 1]
            row[j + 1] = min(swap, diagonal + 1, row[j] + 1)
    return float(row[-1])


@compiled
def _hits(
    label: Ints, start: Ints, end: Ints, true_label: Ints, true_start: Ints, true_end: Ints, levels: Floats
) -> Ints:
    counts = np.zeros((len(levels), 3), dtype=np.int64)
    hit = np.zeros((len(levels), len(true_label)), dtype=np.bool_)
    for run in range(len(label)):
        best, choice = 0.0, -1
        for truth in range(len(true_label)):
            shared = min(end[run], true_end[truth]) - max(start[run], true_start[truth])
            union = max(end[run], true_end[truth]) - min(start[run], true_start[truth])
            if label[run] == true_label[truth] and shared / union > best:
                best, choice = shared / union, truth
        for level in range(len(levels)):
            if choice >= 0 and best >= levels[level] and not hit[level, choice]:
                hit[level, choice] = True
                counts[level, 0] += 1
            else:
                counts[level, 1] += 1
    for level in range(len(levels)):
        counts[level, 2] = len(true_label) - hit[level].sum()
    return counts
