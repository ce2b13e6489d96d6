"""What scoring a file gives: numbers with their intervals, and what is odd in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from suite.evaluate.ranking import RankedMatches
from suite.evaluate.resampling import bootstrap
from suite.evaluate.segments import Bools
from suite.tasks.scoring.condensed import resampled_mean_ap


class Named(Protocol):
    """Names of rows by place: a sequence, or what makes a name when it is asked for."""

    def __getitem__(self, place: int, /) -> str: ...


@dataclass(frozen=True)
class Oddity:
    """Something odd about the rows of a file: what, how many, what was done with them, and one of them."""

    problem: str
    count: int
    treatment: str
    example: str = ""

    @classmethod
    def of(cls, problem: str, mask: Bools, treatment: str, names: Named) -> Oddity:
        """The rows where ``mask`` holds, of which ``names`` are the names."""
        example = names[int(mask.argmax())] if mask.any() else ""
        return cls(problem, int(mask.sum()), treatment, str(example))


@dataclass(frozen=True)
class Ties:
    """What equal scores leave open: how many ``predictions`` share theirs, and between which values mAP lies, whatever
    their order."""

    predictions: int
    low: float
    high: float

    @classmethod
    def of(cls, matches: RankedMatches) -> Ties | None:
        """The ties of ranked detections; None where there are none."""
        count = int(matches.tied().sum())
        if not count or not len(matches.truth_row):
            return None
        low, high = matches.tie_bounds()
        return cls(count, float(low.mean()), float(high.mean()))


@dataclass(frozen=True)
class Report:
    """What one file scored under ``protocol``.

    ``metrics`` rows have metric, threshold, value and, where videos were resampled, low and high; ``classes`` rows
    class, ground truths, found and AP; ``counts`` say how much was scored; ``ties`` what equal scores leave open.
    """

    protocol: str
    metrics: list[dict[str, Any]]
    classes: list[dict[str, Any]]
    oddities: Sequence[Oddity]
    counts: Mapping[str, int]
    ties: Ties | None = None


def metric_row(metric: str, threshold: float | None, value: float) -> dict[str, Any]:
    """One row of ``metrics``."""
    level = None if threshold is None else round(float(threshold), 6)
    return {"metric": metric, "threshold": level, "value": float(value)}


def class_rows(matches: RankedMatches, names: Sequence[str]) -> list[dict[str, Any]]:
    """One row of ``classes`` per class, AP averaged over thresholds."""
    ap = matches.average_precision().mean(axis=0)
    rows = zip(names, matches.positives, np.diff(matches.offsets), ap)
    return [{"class": n, "ground truths": int(g), "predictions": int(p), "AP": float(v)} for n, g, p, v in rows]


def with_intervals(matches: RankedMatches, name: str, resamples: int) -> list[dict[str, Any]]:
    """The average over thresholds, then each threshold, with 95 % intervals (BCa over the units of the matches)."""
    thresholds = [None, *matches.thresholds.tolist()]
    mean_ap = resampled_mean_ap(matches)

    def statistic(weights: np.ndarray) -> np.ndarray:
        levels = mean_ap(weights)
        return np.concatenate([levels.mean(axis=1, keepdims=True), levels], axis=1)

    if not resamples or not len(matches.truth_row):
        values = statistic(np.ones((1, len(matches.units))))[0]
        return [metric_row(name, level, value) for level, value in zip(thresholds, values)]
    found = bootstrap(statistic, len(matches.units), resamples)
    ends = zip(thresholds, found.estimate, found.low, found.high)
    return [
        metric_row(name, level, value) | {"low": float(low), "high": float(high)} for level, value, low, high in ends
    ]
