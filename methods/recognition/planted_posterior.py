"""The posterior of a planted world: no training, the scores of the best possible classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from suite.errors import UsageError
from suite.method import Method, Phase, Run, Scores
from suite.tasks.recognition.samples import Clips, ClipScores


class PlantedPosterior(Method):
    """Scores every class with the probability that it is valid, as the generator computes it."""

    task = "recognition"
    name = "planted-posterior"
    title = "Planted posterior"
    unknown_labels = "not used: nothing is trained"
    paper = "the generator's own Bayes classifier"
    oracle = True

    def phases(self, data: Any) -> Sequence[Phase]:
        return []

    def network(self, data: Any) -> nn.Module:
        return nn.Identity()

    def score(self, network: nn.Module, samples: Clips, run: Run) -> Scores:
        if "posterior" not in samples.oracle:
            raise UsageError(f"{run.data.name} has no planted posterior; use {self.name} on a planted dataset.")
        probability = np.clip(np.asarray(samples.oracle["posterior"], dtype=np.float64), 1e-300, 1 - 1e-16)
        return {"logits": (np.log(probability) - np.log1p(-probability)).astype(np.float32)}

    def decode(self, scores: Scores, samples: Clips) -> ClipScores:
        return ClipScores(scores["logits"])
