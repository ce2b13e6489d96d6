"""Ranked detections with their verdicts: what every detection mAP is computed from, and re-computed from.

Matching depends only on the video and the class, so it is done once. Scoring a bootstrap sample of videos, another
set of classes or a normalized AP is then a pass over sorted rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from suite.evaluate.curves import MODES, average_precisions, hits_together
from suite.evaluate.kernels import FALSE_POSITIVE, IGNORED
from suite.evaluate.lookup import distinct, positions
from suite.evaluate.segments import Bools, Floats, Ints, Verdicts

_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class RankedMatches:
    """N detections of C classes, best score first inside each class, with what became of them at T thresholds.

    Attributes:
        classes: (C,) labels.
        offsets: (C+1,) detections of class c are rows ``offsets[c]:offsets[c+1]``.
        verdict: (T, N) row of the matched ground truth in the truth given (>= 0), -1 false positive, -2 ignored.
        row: (N,) row in the predictions given.
        score: (N,) descending inside each class.
        unit: (N,) position in ``units``.
        units: (V,) what a bootstrap draws: video ids.
        truth_row, truth_unit, truth_class: (G,) the ground truths that count: row given, position in ``units``, in
            ``classes``.
        thresholds: (T,).
        interpolation: how precision is read off (see :class:`~suite.evaluate.protocols.TemporalProtocol`).
    """

    classes: Ints
    offsets: Ints
    verdict: Verdicts
    row: Ints
    score: Floats
    unit: Ints
    units: Ints
    truth_row: Ints
    truth_unit: Ints
    truth_class: Ints
    thresholds: Floats
    interpolation: Literal["envelope", "none", "eleven"] = "envelope"

    @cached_property
    def positives(self) -> Ints:
        """(C,) ground truths of each class."""
        return np.bincount(self.truth_class, minlength=len(self.classes))

    def average_precision(self, weights: ArrayLike | None = None, normalizer: float | None = None) -> Floats:
        """AP (T, C), or (B, T, C) for ``weights`` (B, V) that say how often each unit was drawn.

        ``normalizer`` N gives normalized AP (Hoiem et al. 2012; DETAD): precision = N r / (N r + false positives)
        with r the recall, which makes classes of different frequency comparable.
        """
        single = weights is None
        drawn = np.ones((1, len(self.units))) if single else np.asarray(weights, dtype=np.float64)
        pieces = []
        step = max(1, _CELLS_AT_ONCE // max(1, len(self.units)))
        for first in range(0, max(len(drawn), 1), step):
            part = np.ascontiguousarray(drawn[first : first + step])
            positives = self._weighted_positives(part)
            scale = np.ones_like(positives)
            if normalizer is not None:
                scale = np.divide(normalizer, positives, out=scale, where=positives > 0)
            mode = MODES[self.interpolation]
            ranked = (self.offsets, self.verdict, self.unit)
            pieces.append(average_precisions(*ranked, part, positives, scale, mode, FALSE_POSITIVE, IGNORED))
        areas = np.concatenate(pieces)
        return areas[0] if single else areas

    def mean_ap(self, weights: ArrayLike | None = None) -> Floats:
        """mAP (T,), or (B, T): mean over the classes that have ground truth (in the resample)."""
        return mean_over_present(self.average_precision(weights))

    def average_map(self, weights: ArrayLike | None = None) -> Floats:
        """Mean of mAP over thresholds: a number, or (B,). The statistic to bootstrap."""
        return self.mean_ap(weights).mean(axis=-1)

    def recall(self) -> Floats:
        """(T, C) share of ground truths that some detection matched; NaN where there is none."""
        found = np.stack(
            [np.bincount(self.row_class[level >= 0], minlength=len(self.classes)) for level in self.verdict]
        )
        return np.divide(found, self.positives, out=np.full(found.shape, np.nan), where=self.positives > 0)

    def tied(self) -> Bools:
        """(N,) detections whose score another of their class has, too."""
        sizes = np.diff(self._runs())
        return np.repeat(sizes > 1, sizes)

    def tie_bounds(self) -> tuple[Floats, Floats]:
        """mAP (T,) with the false positives of equal scores ahead of the true ones, and behind them.

        Between these lies what any order of equal scores gives as long as it leaves each detection its verdict.
        """
        edges = self._runs()
        worst, best = (
            replace(self, verdict=hits_together(self.verdict, edges, hits_first, FALSE_POSITIVE, IGNORED))
            for hits_first in (False, True)
        )
        return worst.mean_ap(), best.mean_ap()

    def _runs(self) -> Ints:
        """Where each run of equal scores of a class begins, and the end of the last."""
        new = np.ones(len(self.score), dtype=bool)
        new[1:] = (np.diff(self.row_class) != 0) | (self.score[1:] != self.score[:-1])
        return np.append(np.flatnonzero(new), len(new))

    @cached_property
    def row_class(self) -> Ints:
        """(N,) position in ``classes`` of each ranked detection."""
        return np.repeat(np.arange(len(self.classes)), np.diff(self.offsets))

    def ignoring(self, rows: Bools) -> RankedMatches:
        """The same ranking with the detections of the mask (T, N) or (N,) counted neither way."""
        return replace(self, verdict=np.where(rows, np.int32(IGNORED), self.verdict).astype(np.int32))

    def _weighted_positives(self, weights: Floats) -> Floats:
        counts = np.empty((len(weights), len(self.classes)))
        for draw, weight in enumerate(weights):
            counts[draw] = np.bincount(self.truth_class, weight[self.truth_unit], minlength=len(self.classes))
        return counts


def ranked_matches(
    verdict: Verdicts,
    *,
    classes: Ints,
    row: Ints,
    label: Ints,
    score: Floats,
    unit: Ints,
    truth_row: Ints,
    truth_label: Ints,
    truth_unit: Ints,
    thresholds: ArrayLike,
    units: Ints | None = None,
    interpolation: Literal["envelope", "none", "eleven"] = "envelope",
) -> RankedMatches:
    """Assemble matches from ranked columns and verdicts (T, N) that point into the truth columns given here.

    ``unit`` and ``truth_unit`` are ids; ``units`` lists those that take part (None: all that occur).
    """
    units = distinct(truth_unit, unit) if units is None else np.unique(units)
    matched = verdict >= 0
    pointed = verdict.copy()
    pointed[matched] = truth_row[verdict[matched]]
    return RankedMatches(
        classes=classes,
        offsets=np.searchsorted(label, np.append(classes, np.iinfo(np.int64).max)),
        verdict=pointed,
        row=row,
        score=score,
        unit=positions(unit, units),
        units=units,
        truth_row=truth_row,
        truth_unit=positions(truth_unit, units),
        truth_class=positions(truth_label, classes),
        thresholds=np.asarray(thresholds, dtype=np.float64),
        interpolation=interpolation,
    )


def mean_over_present(values: Floats) -> Floats:
    """Mean over the last axis without NaN; NaN where nothing is left (no class has ground truth)."""
    present = ~np.isnan(values)
    total = np.where(present, values, 0.0).sum(axis=-1)
    return np.divide(total, present.sum(axis=-1), out=np.full(np.shape(total), np.nan), where=present.any(axis=-1))
