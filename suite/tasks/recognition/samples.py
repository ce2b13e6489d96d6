"""Clips, and the scores that are predicted for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from suite.tasks.recognition.single_positive import one_hot
from suite.tasks.recognition.votes import agreed, foremost


@dataclass(frozen=True)
class Clips:
    """Trimmed clips for recognition: N clips, D feature channels, C classes.

    ``ids`` (N,) str; ``features`` (N, D) float; ``label`` (N,) int, the single annotated class;
    ``truth`` (N, C) bool, the complete label sets (training methods must not read it unless they are oracles);
    ``unit`` (N,) str, what splits are disjoint by (source video, user).

    A label may be positive, negative or unknown. ``known`` (N, C) bool, None where all is known: the entries about
    which somebody said anything; the others are neither present nor absent, and ``truth`` is False there. ``target``
    (N, C) in [0, 1], None where it is the single label's one-hot row: what training learns from, where an annotation
    holds several classes.

    ``annotations`` (N, A, C) int8, None where there is but one annotator: what each of A annotators said, 1 present,
    0 absent, -1 nothing. Labels, truth, known and target are then made of them when the data are opened
    (:mod:`suite.tasks.recognition.annotators`).
    """

    ids: np.ndarray
    features: np.ndarray
    label: np.ndarray
    truth: np.ndarray
    unit: np.ndarray
    oracle: Mapping[str, np.ndarray] = field(default_factory=dict)
    known: np.ndarray | None = None
    target: np.ndarray | None = None
    annotations: np.ndarray | None = None

    @classmethod
    def by_annotators(
        cls, ids: np.ndarray, features: np.ndarray, annotations: np.ndarray, unit: np.ndarray, **more: Any
    ) -> Clips:
        """Clips of which several annotators said something: ``annotations`` (N, A, C), with NaN or -1 for nothing.

        Labels and truth are made of them when the data are opened; until then they are the majority's.
        """
        table = np.asarray(annotations)
        said = np.where(np.isnan(table), -1, table) if table.dtype.kind == "f" else table
        everybody = range(said.shape[1])
        label, truth = foremost(said, everybody), agreed(said, everybody)[0]
        return cls(ids, features, label, truth, unit, annotations=said.astype(np.int8), **more)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def annotated(self) -> np.ndarray:
        """(N, C) bool the classes that training sees: those of ``target``, else the single label."""
        if self.target is not None:
            return np.asarray(self.target > 0)
        return one_hot(self.label, self.truth.shape[1])

    def take(self, index: np.ndarray) -> Clips:
        """The clips at ``index``."""
        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "oracle"}
        return replace(
            self,
            **{name: column[index] for name, column in columns.items() if column is not None},
            oracle={k: v[index] for k, v in self.oracle.items()},
        )


@dataclass(frozen=True)
class ClipScores:
    """Recognition predictions: ``logits`` (N, C).

    ``threshold`` is the probability from which the method's loss counts a class as predicted; ``calibrated`` is the
    logit from which validation predicts as many labels as there are on average, NaN where that is not known.
    """

    logits: np.ndarray
    threshold: float = 0.5
    calibrated: float = math.nan
