"""Temporal mAP of many predictions that are rows of one pool: overlaps with the truth are taken once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suite.evaluate.curves import MODES, areas_of_hits
from suite.evaluate.kernels import overlaps
from suite.evaluate.lookup import distinct, group_rows, pair_keys, positions, shuffling_key, stable_descending
from suite.evaluate.protocols import TemporalProtocol
from suite.evaluate.ranking import mean_over_present
from suite.evaluate.scoring.pool import Picked, Pool
from suite.evaluate.scoring.rematch_kernels import hits_of, ranked_by_class
from suite.evaluate.segments import Floats, Ints, Segments
from suite.evaluate.temporal import counted_predictions, counted_truth

KEPT = 32  # predictions that are remembered: settings that leave little often leave the same


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
        self.known: dict[tuple[int, int, float], tuple[Picked, Floats]] = {}

    @cached_property
    def tie(self) -> NDArray[np.uint64]:
        """(N,) where each candidate stands among those of its score."""
        return shuffling_key([self.pool.found.video, self.pool.found.start, self.pool.found.end])

    @cached_property
    def positives(self) -> Floats:
        """(C,) ground truths of each class."""
        counts = np.bincount(positions(self.truth.label, self.classes), minlength=len(self.classes))
        return counts.astype(np.float64)

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
        order = stable_descending(picked.score)
        columns = (picked.rows, picked.score, order, self.label, self.tie)
        ranked, offsets = ranked_by_class(*columns, len(self.classes))
        first = self.protocol.matching == "first"
        strict = self.protocol.strict
        hits, wrong = hits_of(ranked, offsets, *self.pairs, len(self.truth), self.thresholds, strict, first)
        return np.asarray(areas_of_hits(offsets, hits, wrong, self.positives, MODES[self.protocol.interpolation]))

    def map_per_tiou(self, picked: Picked) -> Floats:
        """mAP (T,) of a prediction; their mean is the average mAP. One that was scored just now is looked up."""
        sign = (len(picked.rows), int(picked.rows.sum()), float(picked.score.sum()))
        known = self.known.get(sign)
        if known is not None and known[0].equals(picked):
            return known[1]
        found = mean_over_present(self.average_precision(picked))
        if len(self.known) >= KEPT:
            self.known.pop(next(iter(self.known)))
        self.known[sign] = picked, found
        return found
