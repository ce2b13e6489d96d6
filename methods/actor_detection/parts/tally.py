"""Counts of pseudo-labels: class histograms at each stage, precision and recall where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.evaluate.lookup import stable_descending
from suite.method import Run
from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData

PEOPLE = 20_000  # scored to find the best thresholds
STAGES = ("pseudo", "kept", "right", "true")  # positives given, left by the mask, right, and in the truth
NAME = "tally"
EVER = "pseudo-labels ever"  # positives given since the phase began


@dataclass
class Tally:
    """``counts`` (4, C): how often each class was a pseudo-label, and so on by ``STAGES``; ``seen`` (2,): people, and
    people without any pseudo-label."""

    counts: Tensor
    seen: Tensor

    @classmethod
    def empty(cls, classes: int) -> Tally:
        """All counts zero."""
        return cls(torch.zeros(len(STAGES), classes, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))

    @classmethod
    def of(cls, run: Run) -> Tally:
        """The counts in the run's memory."""
        return cls(run.memory[f"{NAME} counts"], run.memory[f"{NAME} seen"])

    def store(self, run: Run) -> None:
        """Keep this tally in the run's memory, so that a resumed training continues it."""
        run.memory[f"{NAME} counts"], run.memory[f"{NAME} seen"] = (
            self.counts.to(run.device),
            self.seen.to(run.device),
        )

    @staticmethod
    @torch.no_grad()
    def note(run: Run, labels: Tensor, mask: Tensor | None, rows: Tensor) -> None:
        """Count a batch of pseudo-labels (n, C); hidden labels are used for the curves, never for the loss."""
        counts, seen = run.memory[f"{NAME} counts"], run.memory[f"{NAME} seen"]
        given = labels.to(counts.dtype)
        kept = given if mask is None else given * mask[:, None].to(counts.dtype)
        truth = run.resident("labels", run.data.train.labels)[rows].to(counts.dtype)
        counts += torch.stack([given.sum(0), kept.sum(0), (given * truth).sum(0), truth.sum(0)])
        empty = (given.sum(dim=1) == 0).sum()
        seen += torch.stack([empty.new_full((), len(given)), empty]).to(seen.dtype)

    def curves(self, run: Run, data: TaskData[Actors]) -> dict[str, float]:
        """Curve values since the last call; counting then starts at zero."""
        counts, seen = self.counts.cpu().numpy(), self.seen.cpu().numpy()
        given = run.memory.setdefault(EVER, torch.zeros((), dtype=torch.float64, device=run.device))
        given += float(counts[0].sum())
        Tally.empty(counts.shape[1]).store(run)
        if seen[0] == 0:
            return {}
        values = {"people without pseudo-label": float(seen[1] / seen[0]), "no pseudo-labels": float(given == 0)}
        known = data.train.labels[data.train.labelled]
        values["labelled people of the rarest class"] = float(known.sum(axis=0).min())
        values["labelled classes"] = float(known.any(axis=0).mean())
        values |= {f"labelled: {name}": float(n) for name, n in zip(data.classes, known.mean(axis=0), strict=True)}
        for stage, row in zip(STAGES[:2], counts):
            values |= {f"{stage}: {name}": float(n / seen[0]) for name, n in zip(data.classes, row, strict=True)}
        return values | self._quality(counts, data)

    def _quality(self, counts: np.ndarray, data: TaskData[Actors]) -> dict[str, float]:
        """Precision and recall over all, frequent and rare classes, if anything is known about the truth."""
        if counts[3].sum() == 0:
            return {}
        groups: dict[str, Any] = {"": slice(None)} | {f" {n}": c for n, c in data.facts.get("groups", {}).items()}
        values = {}
        for group, classes in groups.items():
            given, right, true = (counts[row, classes].sum() for row in (0, 2, 3))
            values[f"pseudo-label precision{group}"] = float(right / given) if given else 0.0
            values[f"pseudo-label recall{group}"] = float(right / true) if true else 0.0
        return values


def best_thresholds(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(C,) thresholds on ``scores`` (N, C) with the best F1 against ``truth`` (N, C); NaN where nobody has the class.

    A threshold lies halfway between the last score that counts as a positive and the next lower one.
    """
    order = stable_descending(scores.T).T
    ranked, hits = np.take_along_axis(scores, order, axis=0), np.take_along_axis(truth, order, axis=0).cumsum(axis=0)
    total = truth.sum(axis=0)
    # F1 is twice the hits over the sum of predicted and true; every place in the ranking is a threshold to try.
    f1 = 2 * hits / (np.arange(1, len(scores) + 1)[:, None] + total)
    last = np.vstack([ranked[1:] < ranked[:-1], np.ones((1, scores.shape[1]), dtype=bool)])  # ties go together
    best = np.where(last, f1, -1.0).argmax(axis=0)
    columns = np.arange(scores.shape[1])
    following = np.vstack([ranked, np.zeros((1, scores.shape[1]))])[best + 1, columns]
    return np.where(total > 0, (ranked[best, columns] + following) / 2, np.nan)
