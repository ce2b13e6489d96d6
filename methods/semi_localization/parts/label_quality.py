"""What pseudo-labels are worth where the truth is known: Table 3 and Figs. 3 to 5 of the NPL paper, as functions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from suite.evaluate.segments import Segments, tiou


class Quality(NamedTuple):
    """How good N pseudo-labels are; rates are NaN where there are none."""

    class_accuracy: float  # share whose class is that of the truth it overlaps most
    mean_tiou: float  # mean of the largest tIoU with a true segment of the video (0 without one)
    number: int


def nearest_truth(found: Segments, truth: Segments) -> tuple[np.ndarray, np.ndarray]:
    """For each of N segments the row of the true segment of its video with the largest tIoU (-1), and that tIoU.

    Classes play no part; of several equally near the first counts.
    """
    row, overlap = np.full(len(found), -1), np.zeros(len(found))
    for video in np.unique(found.video):
        mine, theirs = np.flatnonzero(found.video == video), np.flatnonzero(truth.video == video)
        if len(theirs) == 0:
            continue
        pairs = tiou(found.start[mine, None], found.end[mine, None], truth.start[theirs], truth.end[theirs])
        best = pairs.argmax(1)
        overlap[mine] = pairs[np.arange(len(mine)), best]
        row[mine] = np.where(overlap[mine] > 0, theirs[best], -1)
    return row, overlap


def quality(found: Segments, truth: Segments) -> Quality:
    """Class accuracy and mean tIoU of pseudo-labels (Table 3)."""
    if len(found) == 0:
        return Quality(np.nan, np.nan, 0)
    row, overlap = nearest_truth(found, truth)
    right = (row >= 0) & (truth.label[row] == found.label) if len(truth) else np.zeros(len(found), dtype=bool)
    return Quality(float(right.mean()), float(overlap.mean()), len(found))


def correct(found: Segments, truth: Segments, least: float = 0.5) -> np.ndarray:
    """(N,) bool: whether a true segment of the same video and class has a tIoU of at least ``least`` with each."""
    right = np.zeros(len(found), dtype=bool)
    for label in np.unique(found.label):
        mine = np.flatnonzero(found.label == label)
        _, overlap = nearest_truth(found.take(mine), truth.take(np.flatnonzero(truth.label == label)))
        right[mine] = overlap >= least
    return right


def correlation(values: np.ndarray, overlap: np.ndarray) -> float:
    """Pearson correlation of a score with tIoU over finite values (Figs. 3, 5); NaN where one of them is constant."""
    finite = np.isfinite(values)
    x, y = values[finite], overlap[finite]
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def rank_correlation(values: np.ndarray, overlap: np.ndarray) -> float:
    """Spearman correlation of a ranking with tIoU, infinite values included; NaN where one of them is constant.

    Rankings choose by order alone: a measure that grows without bound may order well and still correlate little.
    """
    from scipy.stats import rankdata  # half a second, which runs without analyses do not need

    known = ~np.isnan(values)
    return correlation(rankdata(values[known]), rankdata(overlap[known]))


def precision_of_best(values: np.ndarray, right: np.ndarray, share: float = 0.1) -> float:
    """Share that is ``right`` (N,) bool among the best ``share`` of N predictions by ``values`` (at least one)."""
    if len(values) == 0:
        return float("nan")
    count = max(1, round(share * len(values)))
    return float(right[np.argsort(-values, kind="stable")[:count]].mean())


def binned_overlap(values: np.ndarray, overlap: np.ndarray, bins: int = 10) -> np.ndarray:
    """(bins,) mean tIoU in intervals that hold equally many predictions, lowest value first; infinite ones count.

    With fewer predictions than ``bins``, as many bins as predictions (Fig. 5 bins by width instead).
    """
    order = np.argsort(values, kind="stable")
    return np.array([overlap[part].mean() for part in np.array_split(order, bins) if len(part)])


def class_shares(found: Segments, classes: int) -> np.ndarray:
    """(C,) share of each class among the segments (Fig. 4); NaN without segments."""
    counts = np.bincount(found.label, minlength=classes)
    return np.asarray(counts / len(found)) if len(found) else np.full(classes, np.nan)


def class_imbalance(found: Segments, truth: Segments, classes: int) -> float:
    """Half the summed distance between the class shares of pseudo-labels and of truth: 0 balanced, 1 disjoint."""
    if len(found) == 0 or len(truth) == 0:
        return float("nan")
    return float(np.abs(class_shares(found, classes) - class_shares(truth, classes)).sum() / 2)
