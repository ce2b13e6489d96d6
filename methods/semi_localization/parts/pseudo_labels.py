"""Pseudo-labels of the unlabelled training videos: what was predicted, and which of it is learned from.

They are kept in ``run.memory``, so that they travel with checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from suite.evaluate.segments import Segments
from suite.method import Run

COLUMNS = ("video", "label", "start", "end", "score", "ambiguity", "kept")


class Predicted(NamedTuple):
    """N predictions for one video that enter the ranking; times in seconds."""

    labels: np.ndarray
    start: np.ndarray
    end: np.ndarray
    score: np.ndarray
    ambiguity: np.ndarray  # how much neighbours disagree about the boundaries; NaN where a method does not measure it


def remember(run: Run, rows: np.ndarray, found: Sequence[Predicted], kept: Sequence[np.ndarray]) -> None:
    """Store the predictions for the training videos ``rows``, and which rows of each are ``kept`` as pseudo-labels."""
    videos = [np.full(len(one.labels), row) for row, one in zip(rows, found, strict=True)]
    chosen = [np.isin(np.arange(len(one.labels)), some) for one, some in zip(found, kept, strict=True)]
    columns = [videos, *zip(*found, strict=True), chosen] if len(found) else [[np.zeros(0)]] * len(COLUMNS)
    for name, column in zip(COLUMNS, columns, strict=True):
        run.memory[f"pseudo_{name}"] = torch.from_numpy(np.concatenate(column))


def has_pseudo_labels(run: Run) -> bool:
    """Whether the unlabelled videos have been labelled."""
    return "pseudo_video" in run.memory


def ranked(run: Run) -> Segments:
    """All predictions that entered the ranking, in seconds."""
    return Segments(*(run.memory[f"pseudo_{name}"].cpu().numpy() for name in COLUMNS[:5]))


def kept(run: Run) -> Segments:
    """The pseudo-labels, in seconds."""
    return ranked(run).take(_chosen(run))


def rejected(run: Run) -> Segments:
    """The predictions that entered the ranking and were not kept, in seconds."""
    return ranked(run).take(~_chosen(run))


def agreement(run: Run) -> np.ndarray:
    """How much the neighbours of each ranked prediction agree about its boundaries: the negative ambiguity."""
    return -run.memory["pseudo_ambiguity"].cpu().numpy()


def _chosen(run: Run) -> np.ndarray:
    return np.asarray(run.memory["pseudo_kept"].cpu().numpy().astype(bool))
