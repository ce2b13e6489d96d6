"""Candidates that many settings of post-processing thin: sorted once, thinned without a loop over groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from suite.evaluate import suppression_kernels as kernels
from suite.evaluate.segments import Bools, Floats, Ints, Segments, required_score
from suite.evaluate.suppression import (
    NonMaximumSuppression,
    RankedGroups,
    SoftRule,
    groups_of_videos,
    ranked_groups,
    soft_nms_best,
    video_class_groups,
)

Thinning = NonMaximumSuppression | SoftRule  # a setting of suppression


@dataclass(frozen=True, eq=False)
class Pool:
    """N candidates before suppression, which acts inside video and class, or inside videos unless ``class_wise``.

    ``found`` are the candidates as they are scored in the end; suppression looks at ``start`` and ``end`` (N,), where
    these are given: the same times in another unit.
    """

    found: Segments
    start: Floats | None = None
    end: Floats | None = None
    class_wise: bool = True

    @cached_property
    def ranked(self) -> RankedGroups:
        """The candidates in the order in which suppression looks at them."""
        found = self.found
        start, end = (found.start, found.end) if self.start is None or self.end is None else (self.start, self.end)
        group = video_class_groups(found.video, found.label) if self.class_wise else found.video
        return ranked_groups(start, end, required_score(found), group)

    @cached_property
    def videos(self) -> Ints:
        """(V + 1,) where the groups of each video begin."""
        return groups_of_videos(self.ranked, self.found.video)

    @cached_property
    def firsts(self) -> Ints:
        """(G,) the best place of each group, by video, descending score and group."""
        found, best = self.ranked, self.ranked.edges[:-1]
        return best[np.lexsort((best, -found.score[best], self.found.video[found.rows[best]]))]

    @cached_property
    def lowest(self) -> float:
        """The lowest score of all, 0 without any."""
        return float(required_score(self.found).min(initial=0.0))

    def thinned(self, rule: Thinning, kept: Bools | None = None) -> Picked | None:
        """What a setting leaves, in the order of a decoding; ``kept`` (N,) are the candidates that it has at all.

        Candidates of one group are kept or left out together. None where negative scores would not only fall.
        """
        if isinstance(rule, SoftRule):
            if self.lowest < 0.0 or kept is not None:
                return None
            rows, score = soft_nms_best(self.ranked, self.videos, rule)
        elif rule.kind == "none":
            rows = np.arange(len(self.found)) if kept is None else np.flatnonzero(kept)
            score = required_score(self.found)[rows]
        else:
            rows, score = self._of_groups(rule, kept)
        return Picked(self, rows, score)

    def _of_groups(self, rule: NonMaximumSuppression, kept: Bools | None) -> tuple[Ints, Floats]:
        """Rows and scores where the groups that are kept have nothing to do with each other."""
        found, (lows, highs) = self.ranked, self.ranked.bounds
        if kept is not None:
            groups = np.flatnonzero(kept[found.rows[lows]])
            lows, highs = lows[groups], highs[groups]
        if rule.kind == "hard":
            rows = kernels.hard_groups(found.start, found.end, lows, highs, rule.threshold, rule.plus, 0.0)
            return found.rows[rows], found.score[rows]
        columns = (found.start, found.end, found.score)
        rows, score = kernels.one_shot_groups(*columns, lows, highs, rule.threshold, rule.sigma, rule.plus)
        return found.rows[rows], score


@dataclass(frozen=True, eq=False)
class Picked:
    """A prediction as ``rows`` (K,) of a pool with their new scores (K,)."""

    pool: Pool
    rows: Ints
    score: Floats

    @property
    def segments(self) -> Segments:
        """The prediction as a method's decoding returns it."""
        found = self.pool.found
        return Segments(
            found.video[self.rows], found.label[self.rows], found.start[self.rows], found.end[self.rows], self.score
        )

    def equals(self, other: Picked) -> bool:
        """Whether the other one, of the same pool, has the same rows and scores."""
        return np.array_equal(self.rows, other.rows) and np.array_equal(self.score, other.score)
