"""Temporal mAP of many predictions that are rows of one pool: overlaps with the truth are taken once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from suite.evaluate.curves import MODES, average_precisions
from suite.evaluate.kernels import FALSE_POSITIVE, IGNORED, overlaps
from suite.evaluate.lookup import distinct, group_rows, pair_keys, positions, shuffling_key
from suite.evaluate.protocols import TemporalProtocol
from suite.evaluate.ranking import mean_over_present
from suite.evaluate.scoring.pool import Picked, Pool
from suite.evaluate.scoring.rematch_kernels import ranked_by_class, verdicts_of
from suite.evaluate.segments import Floats, Ints, Segments
from suite.evaluate.temporal import counted_predictions, counted_truth


def covers(protocol: TemporalProtocol) -> bool:
    """Whether :class:`Rematch` knows the switches of a protocol."""
    known = protocol.matching in ("best", "first") and protocol.unknown_labels == "ignore"
    return known and protocol.ties == "fair" and min(protocol.tiou) > 0.0


class Rematch:
    """The truth beside a pool, under a protocol that is covered; numbers are those of ``temporal_map`` to the bit."""

    def __init__(self, truth: Segments, pool: Pool, protocol: TemporalProtocol, videos: ArrayLike | None) -> None:
        self.pool, self.protocol = pool, protocol
        self.truth = truth.take(counted_truth(truth, protocol, videos))
        self.classes = distinct(self.truth.label)
        self.thresholds = np.asarray(protocol.tiou, dtype=np.float64)
        counted = np.full(len(pool.found), -1, dtype=np.int64)
        rows = counted_predictions(pool.found, self.classes, protocol, videos)
        counted[rows] = positions(pool.found.label[rows], self.classes)
        self.label = counted

    @cached_property
    def tie(self) -> Ints:
        """(N,) the rank of each candidate among those of its score."""
        found, rank = self.pool.found, np.empty(len(self.pool.found), dtype=np.int64)
        key = shuffling_key([found.video, found.start, found.end])
        rank[np.lexsort((found.end, found.start, found.video, key))] = np.arange(len(found))
        return rank

    @cached_property
    def pairs(self) -> tuple[Ints, Ints, Floats]:
        """Where the overlaps of each candidate begin (N + 1,), and the ground truth and tIoU of each overlap."""
        found, truth = self.pool.found, self.truth
        truth_key, found_key = pair_keys(truth.label, truth.video, found.label, found.video)
        low, high = group_rows(found_key, truth_key)
        least = float(self.thresholds.min())
        return overlaps(truth.start, truth.end, low, high, found.start, found.end, least)

    def average_precision(self, picked: Picked) -> Floats:
        """AP (T, C) of a prediction."""
        ranked, offsets = ranked_by_class(picked.rows, picked.score, self.label, self.tie, len(self.classes))
        verdict = verdicts_of(
            ranked, *self.pairs, len(self.truth), self.thresholds, self.protocol.strict,
            self.protocol.matching == "first", FALSE_POSITIVE,
        )  # fmt: skip
        once, unit = np.ones((1, 1)), np.zeros(len(ranked), dtype=np.int64)
        positives = np.bincount(positions(self.truth.label, self.classes), minlength=len(self.classes))
        counts, mode = positives[None].astype(np.float64), MODES[self.protocol.interpolation]
        ranks = (offsets, verdict, unit, once, counts, np.ones_like(counts), mode, FALSE_POSITIVE, IGNORED)
        return np.asarray(average_precisions(*ranks)[0])

    def map_per_tiou(self, picked: Picked) -> Floats:
        """mAP (T,) of a prediction; their mean is the average mAP."""
        return mean_over_present(self.average_precision(picked))
