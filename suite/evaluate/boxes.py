"""Boxes on frames, and tubes of boxes over time, as parallel columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from suite.errors import UsageError
from suite.evaluate.segments import Floats, Ints


@dataclass(frozen=True)
class Boxes:
    """N labelled boxes, one (box, label) pair a row; a box with three labels is three rows.

    ``frame`` and ``label`` are any integers, ``box`` (N, 4) is x1, y1, x2, y2 in any one unit (AVA: shares of the
    image; UCF101-24: pixels), ``score`` (N,) is None for ground truth.

    Raises:
        UsageError: columns of different lengths, boxes not (N, 4), NaN scores.
    """

    frame: Ints
    label: Ints
    box: Floats
    score: Floats | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", np.asarray(self.frame, dtype=np.int64).reshape(-1))
        object.__setattr__(self, "label", np.asarray(self.label, dtype=np.int64).reshape(-1))
        object.__setattr__(self, "box", np.asarray(self.box, dtype=np.float64).reshape(-1, 4))
        if self.score is not None:
            object.__setattr__(self, "score", np.asarray(self.score, dtype=np.float64).reshape(-1))
            if np.isnan(self.score).any():
                raise UsageError(
                    f"{int(np.isnan(self.score).sum())} boxes have a score that is not a number: drop those rows"
                )
        lengths = {len(column) for column in (self.frame, self.label, self.box, self.score) if column is not None}
        if len(lengths) > 1:
            raise UsageError(
                f"boxes need columns of one length, not {sorted(lengths)}: give one value per row in every column"
            )

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: ArrayLike) -> Boxes:
        """The rows named by an index array or a boolean mask."""
        chosen = np.asarray(rows)
        score = None if self.score is None else self.score[chosen]
        return Boxes(self.frame[chosen], self.label[chosen], self.box[chosen], score)


@dataclass(frozen=True)
class Tubes:
    """N tubes: tube n has boxes ``box[offsets[n]:offsets[n + 1]]`` on consecutive frames from ``first[n]`` on.

    ``video`` and ``label`` (N,) are any integers, ``box`` (M, 4) is x1, y1, x2, y2, ``score`` (N,) is None for
    ground truth.

    Raises:
        UsageError: offsets that do not fit the boxes.
    """

    video: Ints
    label: Ints
    first: Ints
    offsets: Ints
    box: Floats
    score: Floats | None = None

    def __post_init__(self) -> None:
        for name in ("video", "label", "first", "offsets"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.int64).reshape(-1))
        object.__setattr__(self, "box", np.asarray(self.box, dtype=np.float64).reshape(-1, 4))
        if self.score is not None:
            object.__setattr__(self, "score", np.asarray(self.score, dtype=np.float64).reshape(-1))
        if (
            len(self.offsets) != len(self.video) + 1
            or self.offsets[-1] != len(self.box)
            or (np.diff(self.offsets) < 0).any()
        ):
            raise UsageError(
                f"{len(self.video)} tubes need {len(self.video) + 1} ascending offsets that end at {len(self.box)}, "
                "the number of boxes: check how the boxes were cut into tubes"
            )

    def __len__(self) -> int:
        return len(self.video)
