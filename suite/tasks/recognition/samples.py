"""Clips, and the scores that are predicted for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np


@dataclass(frozen=True)
class Clips:
    """Trimmed clips for recognition: N clips, D feature channels, C classes.

    ``ids`` (N,) str; ``features`` (N, D) float; ``label`` (N,) int, the single annotated class;
    ``truth`` (N, C) bool, the complete label sets (training methods must not read it unless they are oracles);
    ``unit`` (N,) str, what splits are disjoint by (source video, user).
    """

    ids: np.ndarray
    features: np.ndarray
    label: np.ndarray
    truth: np.ndarray
    unit: np.ndarray
    oracle: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: np.ndarray) -> Clips:
        """The clips at ``index``."""
        return replace(
            self,
            **{f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "oracle"},
            oracle={k: v[index] for k, v in self.oracle.items()},
        )


@dataclass(frozen=True)
class ClipScores:
    """Recognition predictions: ``logits`` (N, C); ``threshold``: the method's calibrated probability threshold."""

    logits: np.ndarray
    threshold: float = 0.5
