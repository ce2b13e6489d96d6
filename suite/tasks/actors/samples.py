"""People in clips, and the scores that are predicted for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from suite.tasks.base import ClassScores


@dataclass(frozen=True)
class Actors:
    """Person boxes with label sets: N instances in M clips, C classes.

    ``ids`` (N,) str; ``clip`` (N,) int, index of the clip an instance belongs to (a clip's instances are contiguous, in
    fixed order); ``clip_ids`` (M,) str; ``video`` (N,) str; ``second`` (N,) float key-frame time; ``box`` (N, 4) float,
    x1 y1 x2 y2 in [0, 1]; ``labels`` (N, C) bool; ``labelled`` (N,) bool, the same for all instances of a clip;
    ``features`` (N, D) float, or (N, 0) when ``frames`` decodes clips instead. ``truth_*`` are the ground-truth boxes
    that evaluation uses (they equal the instances unless boxes come from a detector, with scores ``box_score``).
    """

    ids: np.ndarray
    clip: np.ndarray
    clip_ids: np.ndarray
    video: np.ndarray
    second: np.ndarray
    box: np.ndarray
    box_score: np.ndarray
    labels: np.ndarray
    labelled: np.ndarray
    features: np.ndarray
    truth_clip: np.ndarray
    truth_box: np.ndarray
    truth_labels: np.ndarray
    unit: np.ndarray
    frames: Any = None
    oracle: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def clip_videos(self) -> np.ndarray:
        """(M,) str, the video of each clip."""
        return np.array([name.rsplit(",", 1)[0] for name in self.clip_ids.tolist()], dtype=str)

    def take(self, index: np.ndarray) -> Actors:
        """The clips at ``index`` (increasing), with their instances, truth and pixels."""
        keep = np.zeros(len(self.clip_ids), dtype=bool)
        keep[index] = True
        number = np.cumsum(keep) - 1
        rows, true_rows = keep[self.clip], keep[self.truth_clip]
        columns = ("ids", "video", "second", "box", "box_score", "labels", "labelled", "features", "unit")
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in columns},
            clip=number[self.clip[rows]],
            clip_ids=self.clip_ids[keep],
            truth_clip=number[self.truth_clip[true_rows]],
            truth_box=self.truth_box[true_rows],
            truth_labels=self.truth_labels[true_rows],
            frames=None if self.frames is None else self.frames.take(np.flatnonzero(keep)),
            oracle={name: values[rows] for name, values in self.oracle.items()},
        )


class ActorScores(ClassScores):
    """Predictions: ``scores`` (N, C) probabilities, one row per instance of the split."""
