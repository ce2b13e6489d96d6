"""Ceilings: ASL's own inference, fed with what is true of each snippet instead of a network's scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from methods.weak_localization.parts.selection_localizer import SelectionLocalizer
from methods.weak_localization.parts.selection_quality import snippet_truth
from suite.errors import UsageError
from suite.method import Phase, Run, Scores, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


class SnippetOracle(SelectionLocalizer):
    """No training: h is the posterior of a planted world, or the annotation itself, and the video's classes are known.

    ``posterior`` bounds what a network that looks at one snippet at a time can reach; ``truth`` bounds what this
    inference can do at all with snippets of this length.
    """

    name = "snippet-oracle"
    title = "Ceiling (snippet posterior)"
    paper = "the generator's own posterior"
    oracle = True

    knows: str = hyper("posterior", choices=("posterior", "truth"), help="what each snippet is known by")

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        return []

    def network(self, data: TaskData[Videos]) -> nn.Module:
        return nn.Identity()

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        if self.knows == "posterior" and "posterior" not in samples.oracle:
            raise UsageError(f"{run.data.name} has no planted posterior; give {self.name} knows=truth.")
        known = samples.oracle["posterior"] if self.knows == "posterior" else snippet_truth(samples)
        labels = np.asarray(samples.video_labels, dtype=np.float32)
        return {
            "offsets": np.asarray(samples.offsets),
            "class_score": np.asarray(known, dtype=np.float32),
            "actionness": np.zeros((len(known), 1), dtype=np.float32),
            "probability": labels / np.maximum(1, labels.sum(axis=1, keepdims=True)),
        }

    def shown(self, probability: np.ndarray) -> np.ndarray:
        return np.asarray(probability > 0)
