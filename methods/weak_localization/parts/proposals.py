"""From an activation sequence to proposals: thresholds, runs, outer-inner contrast, seconds.

One rule with named switches serves every method whose paper thresholds a class activation sequence; suppression is
:mod:`suite.evaluate.suppression`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from methods.weak_localization.parts.proposal_kernels import scored_runs


@dataclass(frozen=True)
class ProposalRule:
    """How one method turns an activation sequence into scored runs.

    ``thresholds``: each gives its own runs. ``outer``: length of the
    outer region on each side, as a share of the run. ``class_weight``: weight of the video's class probability in the
    score. ``strict``: a point must exceed the threshold. ``zeroed``: contrast is taken on the signal with all below the
    threshold set to 0 (BaSNet) instead of the whole signal (ASL).
    """

    thresholds: tuple[float, ...]
    outer: float = 0.25
    class_weight: float = 0.2
    strict: bool = False
    zeroed: bool = False


@dataclass(frozen=True)
class Runs:
    """Candidate runs of points on one upsampled signal: first and last point, both included, and a score; each (N,)."""

    first: np.ndarray
    last: np.ndarray
    score: np.ndarray

    @staticmethod
    def concatenate(parts: list[Runs]) -> Runs:
        """All runs of ``parts``, in order."""
        if not parts:
            return Runs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        columns = zip(*((p.first, p.last, p.score) for p in parts))
        return Runs(*(np.concatenate(column) for column in columns))

    def at_least(self, points: int) -> Runs:
        """The runs of ``points`` points or more."""
        kept = self.last - self.first + 1 >= points
        return Runs(self.first[kept], self.last[kept], self.score[kept])

    def seconds(self, points: np.ndarray, duration: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Start and end in seconds of runs on signals of ``points`` (N,) over ``duration`` (N,) seconds of snippets."""
        factor = duration / points
        return self.first * factor, (self.last + 1) * factor


def upsample(signal: np.ndarray, scale: int) -> np.ndarray:
    """(T · scale, ...) linear interpolation of (T, ...): point j lies at position j / scale.

    Points beyond the last position continue the line through the last two, as the released codes do, so values
    may leave the range of the signal. One position is repeated.
    """
    signal = np.asarray(signal, dtype=np.float64)
    if len(signal) == 1:
        return np.repeat(signal, scale, axis=0)
    left = signal[:-1, None]
    fraction = (np.arange(scale) / scale).reshape(1, scale, *[1] * (signal.ndim - 1))
    inner = left + fraction * (signal[1:, None] - left)
    tail = signal[-1] + fraction[0] * (signal[-1] - signal[-2])
    return np.concatenate([inner.reshape(-1, *signal.shape[1:]), tail])


def runs_above(active: np.ndarray, first_alone: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """First and last index (both included) of each run of True in (P,) bool.

    Unless ``first_alone``, there is no run if the very first point is the only active one: most released codes test a
    list of indices for any non-zero entry.
    """
    edges = np.diff(active.astype(np.int8), prepend=0, append=0)
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    if len(last) == 1 and last[0] == 0 and not first_alone:
        return first[:0], last[:0]
    return first, last


def outer_inner_contrast(signal: np.ndarray, first: np.ndarray, last: np.ndarray, outer: float) -> np.ndarray:
    """(N,) mean inside each run minus mean of the two outer regions, each ``outer`` times the run's length.

    Outer regions are cut to whole points by truncation and to the signal; their mean is 0 where none is left.
    """
    total = np.concatenate([[0.0], np.cumsum(signal)])
    length = last - first + 1
    low = np.maximum(0, np.trunc(first - outer * length)).astype(np.int64)
    high = np.minimum(len(signal) - 1, np.trunc(last + outer * length)).astype(np.int64)
    inside = total[last + 1] - total[first]
    around = total[high + 1] - total[low] - inside
    count = (high - low + 1) - length
    outside = np.divide(around, count, out=np.zeros(len(first)), where=count > 0)
    return inside / length - outside


def side_means(signal: np.ndarray, first: np.ndarray, last: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(2, N) mean of the ``points`` (N,) before each run and of those after it, cut to the signal; 0 where none is."""
    total = np.concatenate([[0.0], np.cumsum(signal)])
    left, right = np.maximum(0, first - points), np.minimum(len(signal), last + 1 + points)
    sums = np.stack([total[first] - total[left], total[right] - total[last + 1]])
    counts = np.stack([first - left, right - last - 1])
    return np.divide(sums, counts, out=np.zeros(sums.shape), where=counts > 0)


def propose(signal: np.ndarray, probability: float, rule: ProposalRule) -> Runs:
    """Scored runs of an upsampled signal (P,) under every threshold of the rule, thresholds in their order.

    Score: outer-inner contrast plus ``class_weight`` times the video's class probability.
    """
    levels, points = (np.ascontiguousarray(one, dtype=np.float64) for one in (rule.thresholds, signal))
    first, last, score = scored_runs(points, levels, rule.strict, rule.zeroed, float(rule.outer))
    return Runs(first, last, score + rule.class_weight * probability)


def ranked_runs(active: np.ndarray, rank: np.ndarray, by: str = "mean") -> Runs:
    """Runs of ``active`` (P,) scored by the ``mean`` or the ``max`` of ``rank`` (P,) inside each."""
    first, last = runs_above(active)
    if by == "max":
        # reduceat over [first, last + 1) pairs: every second result is what lies between two runs
        edges = np.stack([first, last + 1], axis=1).reshape(-1)
        score = np.maximum.reduceat(np.append(rank, -np.inf), edges)[::2] if len(first) else np.zeros(0)
    else:
        total = np.concatenate([[0.0], np.cumsum(rank)])
        score = (total[last + 1] - total[first]) / (last - first + 1)
    return Runs(first, last, score)


def min_max(signal: np.ndarray) -> np.ndarray:
    """Scale each channel of (T, ...) by its range over time, maximum and minimum clipped at 0 from below (BaSNet).

    A channel without a positive value has range 0 and is divided by 1.
    """
    low = np.maximum(signal.min(axis=0), 0)
    span = np.maximum(signal.max(axis=0), 0) - low
    return (signal - low) / np.where(span == 0, 1.0, span)


def shown_classes(probability: np.ndarray, threshold: float, fallback: bool = True) -> np.ndarray:
    """(V, C) bool, the :func:`chosen_classes` of each video; ``probability`` (V, C)."""
    shown = probability >= threshold
    none = np.flatnonzero(~shown.any(axis=1)) if fallback else np.zeros(0, np.int64)
    shown[none, probability[none].argmax(axis=1)] = True
    return np.asarray(shown)


def chosen_classes(
    probability: np.ndarray, threshold: float, fallback: bool = True, skip_first: bool = False
) -> np.ndarray:
    """Classes of a video: ``probability`` (C,) at least ``threshold``; the best one if none is and ``fallback``.

    ``skip_first``: where the first class is the only one there is none, as in several released codes (they ask whether
    any class *index* is non-zero).
    """
    found = np.flatnonzero(probability >= threshold)
    if fallback and not len(found):
        found = np.array([int(np.argmax(probability))])
    return found[:0] if skip_first and not found.any() else found
