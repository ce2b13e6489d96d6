"""Resampling millions of detections: false positives between two true ones count together.

Average precision looks at the ranking only where a true positive stands. What lies between two of them adds to the
false positives by how often its videos were drawn, so each such stretch is one row whose weight is a sum. The sums are
of whole numbers, hence exact: the values are those of :meth:`RankedMatches.mean_ap`, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.evaluate.compiling import compiled
from suite.evaluate.curves import MODES, average_precisions
from suite.evaluate.kernels import FALSE_POSITIVE, IGNORED
from suite.evaluate.ranking import RankedMatches, mean_over_present
from suite.evaluate.segments import Bools, Floats, Ints, Verdicts

Whole = NDArray[np.int32]

WORTHWHILE = 4  # times fewer rows
AT_ONCE = 16  # resamples: their weights of a video are one line of the processor's cache


@compiled
def _summed(begin: Ints, unit: Ints, weights: Whole) -> Whole:
    """(S, B) the weights (V, B) of the units in each stretch, rows ``begin[s]:begin[s + 1]`` of ``unit``."""
    total = np.zeros((len(begin) - 1, weights.shape[1]), dtype=np.int32)
    for stretch in range(len(begin) - 1):
        sums = total[stretch]
        for row in range(begin[stretch], begin[stretch + 1]):
            drawn = weights[unit[row]]
            for draw in range(len(drawn)):
                sums[draw] += drawn[draw]
    return total


@dataclass(frozen=True)
class _Stretches:
    """Detections ``begin[s]:begin[s + 1]`` count together; class c has the stretches ``offsets[c]:offsets[c + 1]``."""

    begin: Ints
    offsets: Ints

    @classmethod
    def around(cls, special: Bools, offsets: Ints) -> _Stretches:
        """One stretch for each ``special`` (N,) detection, one for all that lie between two of a class."""
        begins = special.copy()
        begins[1:] |= special[:-1]
        begins[offsets[offsets < len(begins)]] = True
        begins[:1] = True
        begin = np.append(np.flatnonzero(begins), len(begins))
        return cls(begin, np.searchsorted(begin, offsets))

    def __len__(self) -> int:
        return len(self.begin) - 1


@dataclass(frozen=True)
class _Level:
    """One threshold: its stretches of the stretches of all, and the verdict (1, S) on each."""

    stretches: _Stretches
    verdict: Verdicts


def resampled_mean_ap(matches: RankedMatches) -> Callable[[Floats], Floats]:
    """A function from whole-numbered weights (B, V) to mAP (B, T), fast where true positives are few."""
    whole = _Stretches.around((matches.verdict != FALSE_POSITIVE).any(axis=0), matches.offsets)
    if len(whole) * WORTHWHILE > len(matches.row):
        return matches.mean_ap
    levels = [_level(one, whole.offsets) for one in matches.verdict[:, whole.begin[:-1]]]
    mode, classes, own = MODES[matches.interpolation], len(matches.classes), np.arange(len(whole))

    def several(part: Floats) -> Floats:
        """(B, T, C) average precisions for weights (B, V)."""
        total = _summed(whole.begin, matches.unit, np.ascontiguousarray(part.T.astype(np.int32)))
        drawn = [np.bincount(matches.truth_class, one[matches.truth_unit], minlength=classes) for one in part]
        positives = np.array(drawn, dtype=np.float64)
        scale = np.ones_like(positives)
        areas = []
        for level in levels:
            weights = np.ascontiguousarray(_summed(level.stretches.begin, own, total).T.astype(np.float64))
            ranked = (level.stretches.offsets, level.verdict, own[: len(level.stretches)])
            areas.append(average_precisions(*ranked, weights, positives, scale, mode, FALSE_POSITIVE, IGNORED))
        return np.concatenate(areas, axis=1)

    def statistic(weights: Floats) -> Floats:
        parts = [several(weights[first : first + AT_ONCE]) for first in range(0, len(weights), AT_ONCE)]
        return mean_over_present(np.concatenate(parts))

    return statistic


def _level(verdict: Verdicts, offsets: Ints) -> _Level:
    stretches = _Stretches.around(verdict != FALSE_POSITIVE, offsets)
    return _Level(stretches, np.ascontiguousarray(verdict[None, stretches.begin[:-1]]))
