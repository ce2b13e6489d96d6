"""Average precision from ranked verdicts, compiled: the part of an evaluation that a bootstrap repeats.

A verdict says what became of a detection (see :mod:`suite.evaluate.kernels`). A unit (a video) drawn w times counts its
detections w times in a row, exactly as if the video stood w times in the test set.
"""

from __future__ import annotations

import numpy as np

from suite.evaluate.compiling import compiled
from suite.evaluate.segments import Floats, Ints, Verdicts

ENVELOPE, NON_INTERPOLATED, ELEVEN_POINTS = 0, 1, 2
MODES = {"envelope": ENVELOPE, "none": NON_INTERPOLATED, "eleven": ELEVEN_POINTS}


@compiled
def _operating_points(
    verdict: Verdicts, unit: Ints, weight: Floats, gain: Floats, false: Floats, missed: int, ignored: int
) -> tuple[int, float]:
    """Fill, for each true positive in rank order, how often it counts and the false positives before it.

    Returns:
        how many entries were filled, and the sum of their gains.
    """
    true, wrong, used = 0.0, 0.0, 0
    for row in range(len(verdict)):
        drawn = weight[unit[row]]
        if drawn == 0.0 or verdict[row] == ignored:
            continue
        if verdict[row] == missed:
            wrong += drawn
            continue
        gain[used], false[used] = drawn, wrong
        true += drawn
        used += 1
    return used, true


@compiled
def _under_envelope(gain: Floats, false: Floats, true: float, positives: float, scale: float) -> float:
    """Area under the precision envelope (PASCAL VOC, all points)."""
    area, ceiling = 0.0, 0.0
    for place in range(len(gain) - 1, -1, -1):
        ceiling = max(ceiling, scale * true / (scale * true + false[place]))
        area += gain[place] / positives * ceiling
        true -= gain[place]
    return area


@compiled
def _at_true_positives(gain: Floats, false: Floats, positives: float, scale: float) -> float:
    """Sum of the precisions at the true positives over the number of positives (not interpolated)."""
    area, true = 0.0, 0.0
    for place in range(len(gain)):
        for _ in range(int(gain[place])):
            true += 1.0
            area += scale * true / (scale * true + false[place]) / positives
    return area


@compiled
def _at_eleven_recalls(gain: Floats, false: Floats, true: float, positives: float, scale: float) -> float:
    """Mean over the recalls 0, .1, ..., 1 of the best precision at that recall or beyond (PASCAL VOC 2007)."""
    area, ceiling, point = 0.0, 0.0, 10
    while point >= 0 and point / 10.0 > true / positives:
        point -= 1
    for place in range(len(gain) - 1, -1, -1):
        ceiling = max(ceiling, scale * true / (scale * true + false[place]))
        true -= gain[place]
        while point >= 0 and point / 10.0 > true / positives:
            area += ceiling / 11.0
            point -= 1
    return area + (point + 1) * ceiling / 11.0


@compiled
def hits_together(verdict: Verdicts, edges: Ints, hits_first: bool, missed: int, ignored: int) -> Verdicts:
    """(T, N) the verdicts with the true positives of each stretch ``edges[k]:edges[k + 1]`` ahead of its false ones, or
    behind them; what is ignored comes last.
    """
    sorted_verdict = np.empty_like(verdict)
    for level in range(len(verdict)):
        for stretch in range(len(edges) - 1):
            low, high = edges[stretch], edges[stretch + 1]
            true, false = 0, 0
            for row in range(low, high):
                true += verdict[level, row] >= 0
                false += verdict[level, row] == missed
            middle = low + (true if hits_first else false)
            sorted_verdict[level, low:middle] = 0 if hits_first else missed
            sorted_verdict[level, middle : low + true + false] = missed if hits_first else 0
            sorted_verdict[level, low + true + false : high] = ignored
    return sorted_verdict


@compiled
def average_precisions(
    offsets: Ints,
    verdict: Verdicts,
    unit: Ints,
    weights: Floats,
    positives: Floats,
    scale: Floats,
    mode: int,
    missed: int,
    ignored: int,
) -> Floats:
    """AP for every resample, threshold and class; NaN where the class has no positive.

    Args:
        offsets: (C+1,) rows of each class in ``verdict``.
        verdict: (T, N), best score first inside each class.
        unit: (N,) column of ``weights``.
        weights: (B, V) how often each unit was drawn.
        positives: (B, C) ground truths counted with those weights.
        scale: (B, C) factor on true positives in the precision (1 except for normalized AP).
        mode: ENVELOPE, NON_INTERPOLATED or ELEVEN_POINTS.
        missed, ignored: the verdicts FALSE_POSITIVE and IGNORED.

    Returns:
        (B, T, C).
    """
    areas = np.full((len(weights), len(verdict), len(offsets) - 1), np.nan)
    gain, false = np.empty(verdict.shape[1]), np.empty(verdict.shape[1])
    for draw in range(len(weights)):
        for level in range(len(verdict)):
            for label in range(len(offsets) - 1):
                total, factor = positives[draw, label], scale[draw, label]
                if total <= 0.0:
                    continue
                low, high = offsets[label], offsets[label + 1]
                used, true = _operating_points(
                    verdict[level, low:high], unit[low:high], weights[draw], gain, false, missed, ignored
                )
                if mode == ENVELOPE:
                    area = _under_envelope(gain[:used], false[:used], true, total, factor)
                elif mode == NON_INTERPOLATED:
                    area = _at_true_positives(gain[:used], false[:used], total, factor)
                else:
                    area = _at_eleven_recalls(gain[:used], false[:used], true, total, factor)
                areas[draw, level, label] = area
    return areas


@compiled
def areas_of_hits(offsets: Ints, hits: Ints, wrong: Floats, positives: Floats, mode: int) -> Floats:
    """AP (T, C) as :func:`average_precisions` where every unit counts once and nothing is ignored.

    Args:
        offsets: (C + 1,) where the detections of each class begin.
        hits: (T, C) true positives.
        wrong: (T, N) false positives before each of them, from the begin of a class on.
        positives: (C,) ground truths.
    """
    areas = np.full(hits.shape, np.nan)
    gain = np.ones(hits.max() if hits.size else 0)
    for level in range(len(hits)):
        for label in range(hits.shape[1]):
            total, used = positives[label], hits[level, label]
            if total <= 0.0:
                continue
            own, false = gain[:used], wrong[level, offsets[label] : offsets[label] + used]
            if mode == ENVELOPE:
                areas[level, label] = _under_envelope(own, false, float(used), total, 1.0)
            elif mode == NON_INTERPOLATED:
                areas[level, label] = _at_true_positives(own, false, total, 1.0)
            else:
                areas[level, label] = _at_eleven_recalls(own, false, float(used), total, 1.0)
    return areas
