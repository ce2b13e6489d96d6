"""Folders of one label per frame, and what they score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from suite.errors import UsageError, did_you_mean
from suite.evaluate.resampling import bootstrap
from suite.evaluate.segmentation import OVERLAPS, edit_score, run_counts
from suite.evaluate.segments import Floats
from suite.tasks.data import TaskData
from suite.tasks.localization.scoring.frames import (
    MISSING,
    FrameRows,
    FrameTruth,
    frame_truth,
    join_frames,
    read_frames,
)
from suite.tasks.protocols import with_switches
from suite.tasks.scoring.contents import Contents
from suite.tasks.scoring.files import Choice, PredictionFiles
from suite.tasks.scoring.report import Report, metric_row


@dataclass(frozen=True)
class FrameProtocol:
    """How frame labels are scored: runs of ``background`` labels take no part in edit score and F1."""

    name: str
    background: tuple[str, ...] = ("background",)


MS_TCN = FrameProtocol("ms-tcn")
"""MS-TCN's evaluation leaves out ``background`` (which GTEA has); 50Salads' start and end and Breakfast's SIL count."""
WITHOUT_SILENCE = FrameProtocol("frames-without-silence", ("background", "SIL", "action_start", "action_end"))
FRAME_PROTOCOLS = {one.name: one for one in (MS_TCN, WITHOUT_SILENCE)}


class FrameFiles(PredictionFiles):
    """One label per frame, by frame accuracy, edit score and F1@{10,25,50}."""

    kind = "labels of frames"
    forms = ("a folder of frame labels or class scores (VIDEO.txt, MS-TCN's VIDEO, VIDEO.npy)",)
    protocols = FRAME_PROTOCOLS

    def read(self, contents: Contents) -> FrameRows | None:
        """The files of a folder."""
        return read_frames(contents.path) if contents.folder else None

    def truth_from_file(self, path: Path, choice: Choice) -> FrameTruth:
        """The folder ``groundTruth``."""
        if not path.is_dir():
            raise self.not_the_truth(path)
        Choice(choice.subset, ambiguous=choice.ambiguous).only_all(self.kind)
        return frame_truth(path, choice)

    def truth_from_data(self, data: TaskData[Any], choice: Choice) -> FrameTruth:
        """No dataset of the suite annotates frames."""
        raise UsageError(f"{data.name} has no labels of frames: give --truth with a folder groundTruth.")

    def protocol_of(self, settings: Mapping[str, Any]) -> FrameProtocol:
        """``frames`` of a card's protocol, with its fields overridden."""
        return with_switches(settings, "frames", _named, MS_TCN, "frame labels")

    def score(self, rows: FrameRows, truth: FrameTruth, protocol: FrameProtocol, resamples: int) -> Report:
        """Accuracy over all frames, mean edit score of videos, F1 over all runs; a bootstrap draws videos."""
        predicted, oddities = join_frames(rows, truth)
        left_out = [truth.classes.index(name) for name in protocol.background if name in truth.classes]
        background = [*left_out, MISSING]
        values = _Frames.of(predicted, truth, background)
        classes = _class_rows(predicted, truth)
        counts = {
            "predictions": len(rows.video),
            "counted": len(set(rows.video) & set(truth.videos)),
            "frames": int(values.frames.sum()),
            "videos": len(truth.videos),
        }
        odd = [*truth.oddities, *oddities]
        return Report(protocol.name, values.metrics(resamples), classes, odd, counts)


@dataclass(frozen=True)
class _Frames:
    """Per video: how many frames, how many of them are right, the edit score, hits, false and missed runs (V, K, 3)."""

    frames: Floats
    right: Floats
    edit: Floats
    runs: Floats

    @classmethod
    def of(cls, predicted: list[np.ndarray], truth: FrameTruth, background: list[int]) -> _Frames:
        pairs = list(zip(predicted, truth.frames))
        return cls(
            np.array([len(labels) for labels in truth.frames], dtype=np.float64),
            np.array([(guess == labels).sum() for guess, labels in pairs], dtype=np.float64),
            np.array([edit_score(guess, labels, background) for guess, labels in pairs], dtype=np.float64),
            run_counts(predicted, truth.frames, OVERLAPS, background).astype(np.float64),
        )

    def statistic(self, weights: Floats) -> Floats:
        """(B, 2 + K) accuracy, edit score and F1 at each overlap when each video counts ``weights`` (B, V) times."""
        true, false, missed = np.moveaxis(np.tensordot(weights, self.runs, axes=(1, 0)), 2, 0)
        accuracy = weights @ self.right / np.maximum(weights @ self.frames, 1)
        edit = weights @ self.edit / weights.sum(axis=1)
        f1 = 2 * true / np.maximum(2 * true + false + missed, 1)
        return np.column_stack([accuracy, edit, f1])

    def metrics(self, resamples: int) -> list[dict[str, Any]]:
        names = [("accuracy", None), ("edit", None), *(("F1", overlap) for overlap in OVERLAPS)]
        if not resamples:
            values = self.statistic(np.ones((1, len(self.frames))))[0]
            return [metric_row(name, level, value) for (name, level), value in zip(names, values)]
        found = bootstrap(self.statistic, len(self.frames), resamples)
        rows = zip(names, found.estimate, found.low, found.high)
        return [metric_row(*one, value) | {"low": float(low), "high": float(high)} for one, value, low, high in rows]


def _class_rows(predicted: list[np.ndarray], truth: FrameTruth) -> list[dict[str, Any]]:
    """Frames of each class, how many are predicted to be of it, and the recall."""
    guess, labels = np.concatenate(predicted), np.concatenate(truth.frames)
    size = len(truth.classes)
    there, right = np.bincount(labels, minlength=size), np.bincount(labels[guess == labels], minlength=size)
    called = np.bincount(guess[guess >= 0], minlength=size)
    rows = zip(truth.classes, there.tolist(), called.tolist(), right.tolist())
    return [{"class": n, "frames": g, "predicted": p, "recall": hits / g} for n, g, p, hits in rows if g]


def _named(name: str) -> FrameProtocol:
    if name not in FRAME_PROTOCOLS:
        raise UsageError(f"there is no protocol of frames '{name}'{did_you_mean(name, FRAME_PROTOCOLS)}")
    return FRAME_PROTOCOLS[name]
