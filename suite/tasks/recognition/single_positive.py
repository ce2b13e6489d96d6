"""One annotated class per clip, where the complete label set is known: drawing it, and what follows from it."""

from __future__ import annotations

import numpy as np

TAIL_SHARE = 0.2  # of all labels, as EPIC-Kitchens-100 defines its tail classes


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(N,) classes as (N, C) bool: the label set of a clip that shows its single label."""
    return np.asarray(labels[:, None] == np.arange(classes))


def draw_label(truth: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(N,) one of each row's true classes (N, C), every one as likely as the others; rows must have a class."""
    place = (generator.random(len(truth)) * truth.sum(axis=1)).astype(np.int64)
    return np.asarray((truth.cumsum(axis=1) > place[:, None]).argmax(axis=1))


def head_and_tail(frequency: np.ndarray) -> dict[str, list[int]]:
    """Tail: the rarest classes that together hold a fifth of the labels (as in EPIC-Kitchens-100); head: the rest."""
    rare = np.argsort(frequency, kind="stable")
    tail = rare[frequency[rare].cumsum() <= TAIL_SHARE * frequency.sum()]
    return {"head": sorted(set(range(len(frequency))) - set(tail.tolist())), "tail": sorted(tail.tolist())}
