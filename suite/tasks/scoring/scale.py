"""On which scale scores are: probabilities, logits, or numbers between two ends; what is off it is counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.errors import UsageError
from suite.evaluate.multilabel import probabilities
from suite.evaluate.segments import Bools
from suite.tasks.scoring.report import Oddity

LOGITS, PROBABILITIES = "logits", "probabilities"


@dataclass(frozen=True)
class Scale:
    """Scores lie between ``low`` and ``high``; ``name`` is how a user calls that."""

    name: str
    low: float
    high: float

    @classmethod
    def named(cls, name: str) -> Scale:
        """``probabilities`` (0..1), ``logits`` (any finite number) or ``LOW..HIGH``; :class:`UsageError` for others."""
        if name == PROBABILITIES:
            return cls(name, 0.0, 1.0)
        if name == LOGITS:
            return cls(name, -np.inf, np.inf)
        try:
            low, high = map(float, name.split(".."))
            if low < high:
                return cls(name, low, high)
        except ValueError:
            pass
        raise UsageError(f"'{name}' is no scale of scores; write {PROBABILITIES}, {LOGITS} or LOW..HIGH, e.g. 0..100.")

    def oddities(self, score: np.ndarray, advice: str = "kept: their order is what counts") -> list[Oddity]:
        """What is off this scale among ``score`` of any shape."""
        finite = np.isfinite(score)
        off = finite & ((score < self.low) | (score > self.high))
        if off.any():
            return [Oddity(f"score that is not of {self.name}", int(off.sum()), advice, f"{score[off].flat[0]:g}")]
        if self.name == LOGITS and finite.any() and _like_probabilities(score[finite]):
            problem = "score between 0 and 1, as all of them are, where logits are expected"
            return [Oddity(problem, int(finite.sum()), advice, f"{score[finite].flat[0]:g}")]
        return []


def converted(score: np.ndarray, given: str, wanted: str) -> np.ndarray:
    """Scores on the scale called ``wanted``, from that called ``given``; only probabilities and logits can be."""
    if given == wanted or not (given and wanted):
        return score
    if (given, wanted) == (LOGITS, PROBABILITIES):
        return probabilities(score)
    if (given, wanted) == (PROBABILITIES, LOGITS):
        # A probability of exactly 0 or 1 has no finite logit: the next number inside takes its place.
        inside = np.clip(score.astype(np.float64), np.finfo(np.float64).tiny, 1.0 - np.finfo(np.float64).epsneg)
        return np.asarray(np.log(inside) - np.log1p(-inside))
    raise UsageError(f"scores of {given} cannot be made {wanted}; convert them before, and leave --scores out.")


def _like_probabilities(score: np.ndarray) -> bool:
    return bool(((score >= 0) & (score <= 1)).all())


def infinite(*columns: np.ndarray) -> Bools:
    """(N,) rows with an infinite number in any of the columns, (N,) or (N, K)."""
    return np.any([np.isinf(np.atleast_2d(column.T)).any(axis=0) for column in columns], axis=0)
