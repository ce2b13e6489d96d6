"""Counting what annotators said about classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def votes(annotations: np.ndarray, voters: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """How many of the ``voters`` named each class of each clip, and how many said anything about it; both (N, C).

    ``annotations`` (N, A, C): 1 present, 0 absent, -1 nothing said.
    """
    said = annotations[:, list(voters)]
    return (said == 1).sum(axis=1), (said >= 0).sum(axis=1)


def agreed(annotations: np.ndarray, voters: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The classes (N, C) bool that more than half of the ``voters`` named, of those who said something; and the known.

    Unknown: what nobody said anything about, what exactly half named, and what somebody named where no class of the
    clip has a majority.
    """
    named, said = votes(annotations, voters)
    present, known = 2 * named > said, 2 * named != said
    undecided = ~present.any(axis=1, keepdims=True) & (named > 0)
    return present, known & ~undecided


def foremost(annotations: np.ndarray, voters: Sequence[int]) -> np.ndarray:
    """(N,) the class that most of the ``voters`` named, one with a majority if there is one, the first among equals."""
    named, _ = votes(annotations, voters)
    present, _ = agreed(annotations, voters)
    return np.asarray((named + (annotations.shape[1] + 1) * present).argmax(axis=1))
