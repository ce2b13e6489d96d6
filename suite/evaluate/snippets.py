"""Errors snippet by snippet: which parts of a video were selected for localization, and which should have been.

The analysis of ASL (Ma et al., CVPR 2021, Fig. 5a): a selected snippet without action is a context error, an action
snippet that was not selected an actionness error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from suite.errors import UsageError
from suite.evaluate.segments import Bools, Segments


@dataclass(frozen=True)
class SnippetCounts:
    """Numbers of snippets: selected or not, with action or not."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def context_errors(self) -> int:
        """Selected, but no action."""
        return self.false_positives

    @property
    def actionness_errors(self) -> int:
        """Action, but not selected."""
        return self.false_negatives

    def change_from(self, other: SnippetCounts) -> dict[str, float]:
        """Relative change of the four counts against another method: -0.31 is 31 % fewer, NaN where it has none."""
        names = ("true_positives", "false_positives", "false_negatives", "true_negatives")
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in names}
        return {name: ours / theirs - 1 if theirs else float("nan") for name, (ours, theirs) in pairs.items()}


def snippet_counts(selected: Sequence[ArrayLike], action: Sequence[ArrayLike]) -> SnippetCounts:
    """Count over all videos; each video gives two masks (T_v,).

    Raises:
        UsageError: another number of videos, or masks of different lengths.
    """
    if len(selected) != len(action):
        raise UsageError(f"{len(selected)} selections for {len(action)} videos: give one mask a video")
    totals = np.zeros((2, 2), dtype=np.int64)
    for place, (chosen, present) in enumerate(zip(selected, action)):
        mask, truth = np.asarray(chosen, dtype=bool), np.asarray(present, dtype=bool)
        if mask.shape != truth.shape:
            raise UsageError(f"video {place} has masks of {mask.shape} and {truth.shape} snippets: they must agree")
        np.add.at(totals, (mask.astype(np.int64), truth.astype(np.int64)), 1)
    return SnippetCounts(int(totals[1, 1]), int(totals[1, 0]), int(totals[0, 1]), int(totals[0, 0]))


def covered(segments: Segments, video: int, snippets: int, seconds: float) -> Bools:
    """(snippets,) whether the middle t of each snippet lies in a segment of the video, start <= t < end."""
    rows = segments.take(segments.video == video)
    middle = (np.arange(snippets) + 0.5) * seconds
    change = np.zeros(snippets + 1, dtype=np.int64)
    first = np.searchsorted(middle, rows.start, side="left")
    np.add.at(change, first, 1)
    np.add.at(change, np.maximum(np.searchsorted(middle, rows.end, side="left"), first), -1)
    return np.cumsum(change[:-1]) > 0
