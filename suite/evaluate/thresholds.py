"""Label sets from scores: IoU and F1 at every threshold at once, and the threshold that predicts so many labels.

Scores (N, C) are on any monotone scale; a class is predicted where its score reaches the threshold. ``truth`` and
``known`` are those of :mod:`suite.evaluate.multilabel`, and so are IoU and F1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from suite.errors import UsageError
from suite.evaluate import threshold_kernels as kernels
from suite.evaluate.lookup import stable_descending
from suite.evaluate.multilabel import _pair, has_value
from suite.evaluate.segments import Floats


@dataclass(frozen=True)
class SetCurve:
    """Mean ``iou`` and ``f1`` (T,) where all classes are predicted that reach ``thresholds`` (T,), the highest first.

    The thresholds are the T distinct scores; between two of them nothing changes, and above the first no class is
    predicted: both metrics are 0 there.
    """

    thresholds: Floats
    iou: Floats
    f1: Floats

    def at(self, thresholds: ArrayLike) -> tuple[Floats, Floats]:
        """IoU and F1 at any ``thresholds``."""
        place = np.searchsorted(-self.thresholds, -np.asarray(thresholds, dtype=np.float64), side="right")
        iou, f1 = (np.concatenate([[0.0], values])[place] for values in (self.iou, self.f1))
        return iou, f1


def set_curve(scores: ArrayLike, truth: ArrayLike, known: ArrayLike | None = None) -> SetCurve:
    """The :class:`SetCurve` of scores (N, C): exact, in the time of a sort.

    Going down a clip's scores, each class changes the clip's IoU and F1 by a step; the steps of all clips in the order
    of their scores add up to the curve.
    """
    values, present = _pair(scores, truth, known)
    if known is not None:
        counted = has_value(present, known)
        values, present = values[counted], present[counted]
    level, iou, f1 = kernels.steps_by_rank(values, present, stable_descending(values))
    return SetCurve(*kernels.summed(level, iou, f1, stable_descending(level), max(1, len(values))))


def count_threshold(scores: ArrayLike, mean_count: float) -> float:
    """The score from which, over all clips of (N, C), as nearly as can be ``mean_count`` classes a clip are predicted.

    A threshold chosen by the expected number of labels needs no label. It is one of the scores; equal scores are
    predicted together, and of two counts that are equally near the smaller is taken.

    Raises :class:`UsageError` for scores without a clip, or a count that is not above 0.
    """
    values = np.asarray(scores, dtype=np.float64)
    if not values.size or not mean_count > 0:
        raise UsageError(f"{values.size} scores and {mean_count:g} labels a clip leave no threshold to choose.")
    level = np.sort(values, axis=None)[::-1]
    counts = np.flatnonzero(np.append(level[1:] != level[:-1], True)) + 1
    nearest = int(np.abs(counts - mean_count * len(values)).argmin())
    return float(level[counts[nearest] - 1])
