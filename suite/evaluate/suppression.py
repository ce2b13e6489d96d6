"""Non-maximum suppression of temporal segments: hard, soft, one-shot decay, and score voting.

All functions take columns ``start``, ``end``, ``score`` (N,) in any one unit and ``group`` (N,), integers inside which
suppression acts: the video, or video and class together (:func:`video_class_groups`); None is one group. They return
ROWS of the input, group by group in ascending group and in picking order inside a group. Equal scores rank by the
score before any decay, then start, then end, so the order of rows never matters. Times never change, scores only where
said.

``plus`` is the "+1" convention: added to both lengths and to the intersection, in the unit of the segments (BaSNet
and ASL add one second). ``pad`` is added to the lengths only (ActionFormer's 1e-6 against division by zero).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from suite.evaluate import suppression_kernels as kernels
from suite.evaluate.lookup import group_rows, ranked_in_groups, ranked_rows
from suite.evaluate.segments import Floats, Ints, Segments
from suite.evaluate.suppression_best import SIZE, soft_best
from suite.evaluate.suppression_blocks import blocks_of

MODES = {"gaussian": kernels.GAUSSIAN, "linear": kernels.LINEAR}
PICKS_AT_ONCE = 4_000_000  # that rules followed together may make: 64 MB
COLUMNS_AT_ONCE = 2_000_000  # of blocks: 110 MB
DEEP = 600.0  # logarithms so far below the highest are of scores near the smallest numbers, which round coarsely


@dataclass(frozen=True)
class RankedGroups:
    """N segments in which suppression acts inside groups: G groups in ascending order, best score first in each.

    ``rows`` (N,) are rows of the input; ``start``, ``end`` and ``score`` (N,) are copies in this order; group g holds
    the places ``edges[g]:edges[g + 1]``.
    """

    rows: Ints
    start: Floats
    end: Floats
    score: Floats
    edges: Ints

    @property
    def bounds(self) -> tuple[Ints, Ints]:
        """(G,) where groups begin, and where they end."""
        return self.edges[:-1], self.edges[1:]


def video_class_groups(video: ArrayLike, label: ArrayLike) -> Ints:
    """(N,) one integer for each pair of video and class: the group of class-wise suppression."""
    videos, labels = np.asarray(video, dtype=np.int64), np.asarray(label, dtype=np.int64)
    lowest = int(labels.min(initial=0))
    return videos * (int(labels.max(initial=0)) - lowest + 1) + labels - lowest


def hard_nms(
    start: ArrayLike,
    end: ArrayLike,
    score: ArrayLike,
    threshold: float,
    *,
    group: ArrayLike | None = None,
    plus: float = 0.0,
    pad: float = 0.0,
) -> Ints:
    """Rows (K,) that survive: the best stays, those whose tIoU with it is >= ``threshold`` fall, and so on."""
    found = ranked_groups(start, end, score, group)
    return found.rows[kernels.hard_groups(found.start, found.end, *found.bounds, threshold, plus, pad)]


def soft_nms(
    start: ArrayLike,
    end: ArrayLike,
    score: ArrayLike,
    *,
    decay: Literal["gaussian", "linear"] = "gaussian",
    sigma: float = 0.5,
    threshold: float = 0.0,
    width_slope: float = 0.0,
    strict: bool = False,
    min_score: float = 0.0,
    limit: int | None = None,
    keep_last: bool = True,
    group: ArrayLike | None = None,
    plus: float = 0.0,
    pad: float = 0.0,
) -> tuple[Ints, Floats]:
    """Soft-NMS (Bodla et al. 2017): the best is picked, the scores of the others decay with their overlap, repeat.

    Args:
        decay: ``gaussian`` multiplies by exp(-tIoU^2 / sigma), ``linear`` by 1 - tIoU.
        threshold, width_slope, strict: decay only where tIoU >= threshold + width_slope * (end - start of the pick),
            or > if ``strict``. BMN's thresholds that grow with the width: times in shares of the video, threshold
            t1, slope t2 - t1, strict.
        min_score: a score that falls below leaves the competition (the first pick of a group always stays).
        limit: at most so many picks a group.
        keep_last: whether a group's last remaining row is picked (BMN's code drops it).

    Returns:
        rows (K,) and their decayed scores (K,).
    """
    found = ranked_groups(start, end, score, group)
    most = np.iinfo(np.int64).max if limit is None else limit
    rows, reached = kernels.soft_groups(
        found.start, found.end, found.score, *found.bounds, MODES[decay], sigma, threshold, width_slope, strict,
        min_score, most, keep_last, plus, pad,
    )  # fmt: skip
    return found.rows[rows], reached


@dataclass(frozen=True)
class SoftRule:
    """Gaussian soft suppression, of which each video keeps its ``limit`` best picks; the rest as :func:`soft_nms`."""

    limit: int = 200
    sigma: float = 0.5
    threshold: float = 0.0
    width_slope: float = 0.0
    strict: bool = False
    min_score: float = 0.0
    plus: float = 0.0
    pad: float = 0.0

    @property
    def numbers(self) -> tuple[float, ...]:
        """All but the limit, as compiled code takes them."""
        switches = (self.sigma, self.threshold, self.width_slope, float(self.strict))
        return (*switches, self.min_score, self.plus, self.pad)


def soft_nms_best(found: RankedGroups, videos: Ints, rule: SoftRule) -> tuple[Ints, Floats]:
    """The best picks that :func:`soft_nms` makes in the groups of each video, without making the others.

    Args:
        found: scores that are not negative.
        videos: (V + 1,) video v holds the groups ``videos[v]:videos[v + 1]`` (:func:`groups_of_videos`).

    Returns:
        rows (K,) of the input video by video, best first inside each, and their decayed scores (K,): those that
        :func:`best_rows` finds among all picks.
    """
    places, reached = next(soft_picks(found, videos, [rule]))
    return found.rows[places], reached


def soft_picks(found: RankedGroups, videos: Ints, rules: Sequence[SoftRule]) -> Iterator[tuple[Ints, Floats]]:
    """:func:`soft_nms_best` under each of the rules, but with places instead of rows; what they share is done once."""
    sizes, groups = np.diff(found.edges[videos]), np.diff(videos)
    parts = list(pairwise(_parts(np.cumsum(sizes + SIZE * groups), COLUMNS_AT_ONCE)))
    room = np.cumsum([int(np.minimum(sizes, rule.limit).sum()) for rule in rules])
    for first, end in pairwise(_parts(room, PICKS_AT_ONCE)):
        pieces = [_picks_of(found, videos[low : high + 1], rules[first:end]) for low, high in parts]
        for number in range(end - first):
            own = [piece[number] for piece in pieces]
            yield own[0] if len(own) == 1 else _joined(own)


def _parts(total: Ints, most: int) -> list[int]:
    """Where to cut items of cumulated sizes ``total`` (N,) into parts of about ``most``, or of one item."""
    return [*np.flatnonzero(np.diff(total // most, prepend=-1)).tolist(), len(total)]


def _joined(pieces: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    """Places and scores of pieces one behind the other."""
    places, scores = zip(*pieces) if pieces else ((), ())
    return np.concatenate([np.zeros(0, np.int64), *places]), np.concatenate([np.zeros(0), *scores])


def _picks_of(found: RankedGroups, videos: Ints, rules: Sequence[SoftRule]) -> list[tuple[Ints, Floats]]:
    """Places and scores of the picks under each rule in some videos that lie side by side."""
    begin, end = found.edges[videos[0]], found.edges[videos[-1]]
    edges = found.edges[videos[0] : videos[-1] + 1] - begin
    score, low, high = found.score[begin:end], edges[:-1], edges[1:]
    least = min(rule.min_score for rule in rules)
    blocks = blocks_of(found.start[begin:end], found.end[begin:end], score, edges, least, SIZE)
    second = np.where(high - low > 1, score[np.minimum(low + 1, len(score) - 1)], -1.0)
    floor = float(np.log(max(score.max(), 1.0))) - DEEP
    table = (blocks.columns, blocks.place, blocks.bounds, blocks.edges)
    limits = np.array([rule.limit for rule in rules], dtype=np.int64)
    numbers = np.array([rule.numbers for rule in rules], dtype=np.float64)
    places, reached, begins, ends = soft_best(table, second, floor, edges, videos - videos[0], limits, numbers)
    places += begin
    return [(places[low:high], reached[low:high]) for low, high in zip(begins, ends)]


def groups_of_videos(found: RankedGroups, video: Ints) -> Ints:
    """(V + 1,) where the groups of each video begin; ``video`` (N,) as the rows of the input, a group lies in one."""
    return _edges(video[found.rows[found.edges[:-1]]])


def _edges(keys: Ints) -> Ints:
    """(G + 1,) where stretches of equal ``keys`` begin, and where the last one ends; (1,) without any."""
    inner = np.flatnonzero(np.diff(keys)) + 1
    return np.concatenate([np.zeros(min(1, len(keys)), np.int64), inner, [len(keys)]]).astype(np.int64)


def one_shot_decay(
    start: ArrayLike,
    end: ArrayLike,
    score: ArrayLike,
    *,
    threshold: float = 0.4,
    sigma: float = 0.35,
    group: ArrayLike | None = None,
    plus: float = 1.0,
) -> tuple[Ints, Floats]:
    """ASL's "soft NMS": rows with tIoU >= ``threshold`` to the current best leave once with score exp(-tIoU^2 / sigma).

    They go to the end of their group's list and never compete again, so every row survives.

    Returns:
        rows (N,) and their scores (N,).
    """
    found = ranked_groups(start, end, score, group)
    rows, reached = kernels.one_shot_groups(found.start, found.end, found.score, *found.bounds, threshold, sigma, plus)
    return found.rows[rows], reached


def vote(
    start: ArrayLike,
    end: ArrayLike,
    candidate_start: ArrayLike,
    candidate_end: ArrayLike,
    candidate_score: ArrayLike,
    threshold: float,
    *,
    group: ArrayLike | None = None,
    candidate_group: ArrayLike | None = None,
    by_overlap: bool = True,
) -> tuple[Floats, Floats]:
    """Score voting: each kept segment becomes the weighted mean of the candidates with tIoU >= ``threshold`` to it.

    The weight is the candidate's score before suppression, times its tIoU if ``by_overlap`` (ActionFormer; OpenTAD
    omits it).

    Returns:
        refined starts (K,) and ends (K,).
    """
    starts, ends, _ = _columns(start, end, start)
    all_start, all_end, all_score = _columns(candidate_start, candidate_end, candidate_score)
    keys = (
        np.zeros(len(all_start), dtype=np.int64) if candidate_group is None else np.asarray(candidate_group, np.int64)
    )
    own = np.zeros(len(starts), dtype=np.int64) if group is None else np.asarray(group, dtype=np.int64)
    order = np.argsort(keys, kind="stable")
    low, high = group_rows(own, keys[order])
    refined = kernels.votes(
        starts, ends, low, high, all_start[order], all_end[order], all_score[order], threshold, by_overlap
    )
    return refined[:, 0], refined[:, 1]


def best_rows(score: ArrayLike, limit: int, group: ArrayLike | None = None) -> Ints:
    """Rows of the ``limit`` highest scores of each group, best first; equal scores keep their order."""
    scores = np.asarray(score, dtype=np.float64)
    groups = np.zeros(len(scores), dtype=np.int64) if group is None else np.asarray(group, dtype=np.int64)
    order, edges = ranked_in_groups(scores, groups)
    return order[np.arange(len(order)) - np.repeat(edges[:-1], np.diff(edges)) < limit]


def _columns(start: ArrayLike, end: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats, Floats]:
    return np.asarray(start, np.float64), np.asarray(end, np.float64), np.asarray(score, np.float64)


def ranked_groups(start: ArrayLike, end: ArrayLike, score: ArrayLike, group: ArrayLike | None = None) -> RankedGroups:
    """The order in which suppression looks at segments: by group, descending score, start, end."""
    starts, ends, scores = _columns(start, end, score)
    keys = np.zeros(len(starts), dtype=np.int64) if group is None else np.asarray(group, dtype=np.int64)
    order = ranked_rows(np.arange(len(keys)), keys, scores, (starts, ends))
    return RankedGroups(order, starts[order], ends[order], scores[order], _edges(keys[order]))


@dataclass(frozen=True)
class NonMaximumSuppression:
    """Which proposals of a video and class yield to better ones.

    ``hard`` removes those that overlap a better one by ``threshold``; ``decay`` lets each leave once, with its score
    lowered (the released ASL); ``none`` keeps all. ``plus`` seconds are added to lengths and overlaps.
    """

    kind: Literal["hard", "decay", "none"] = "hard"
    threshold: float = 0.5
    sigma: float = 0.35
    plus: float = 0.0

    def __call__(self, found: Segments) -> Segments:
        """The surviving rows, with their new scores."""
        if self.kind == "none" or len(found) == 0:
            return found
        score, group = np.asarray(found.score), video_class_groups(found.video, found.label)
        if self.kind == "hard":
            rows = hard_nms(found.start, found.end, score, self.threshold, group=group, plus=self.plus)
            return found.take(rows)
        rows, lowered = one_shot_decay(
            found.start, found.end, score, threshold=self.threshold, sigma=self.sigma, group=group, plus=self.plus
        )
        return Segments(found.video[rows], found.label[rows], found.start[rows], found.end[rows], lowered)
