"""Batches of unlabelled windows, for methods that learn from them without targets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import numpy as np

from methods.semi_localization.parts.batches import endless
from methods.semi_localization.parts.part import Part
from methods.semi_localization.parts.windows import Windows
from suite.method import Batch, hyper


class UnlabelledWindows(Part):
    """How many unlabelled windows a step sees beside the labelled ones."""

    unlabelled_batch: str = hyper(
        "equal",
        choices=("equal", "by-share"),
        source="SSTAP's and SPOT's code: by-share",
        help="unlabelled windows per step: as many as labelled ones, or by the share of unlabelled videos, 4 to 24",
    )

    def batches(self, windows: Windows, share: float, labelled: int, generator: np.random.Generator) -> Iterator[Batch]:
        """Endless batches under the name ``unlabelled``; empty ones where no window is.

        Args:
            windows: all windows of the unlabelled videos.
            share: of unlabelled videos among the training videos.
            labelled: windows of a labelled batch.
        """
        if len(windows):
            size = labelled if self.unlabelled_batch == "equal" else batch_by_share(labelled, share)
            for rows in endless(np.arange(len(windows)), size, generator):
                yield {"unlabelled": {"features": windows.stacked(rows)}}
        yield from repeat({})


def batch_by_share(labelled: int, share: float) -> int:
    """Unlabelled samples per step in the codes of SSTAP and SPOT: in proportion, in fours, from 4 to 24."""
    fours = round(labelled * share / (4 * (1 - share))) if share < 1 else 6
    return min(max(4 * fours, 4), 24)
