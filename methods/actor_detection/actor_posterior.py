"""The upper bound in a planted world: people scored by the generator's own posterior."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from suite.errors import UsageError
from suite.method import Method, Phase, Run, Scores
from suite.tasks.actors.samples import Actors, ActorScores
from suite.tasks.data import TaskData


class ActorPosterior(Method):
    """The best scores for people seen one at a time; only where the world is planted."""

    task = "actor-detection"
    name = "actor-posterior"
    title = "Posterior of the world (ceiling)"
    paper = "the generator's own law"
    oracle = True

    def phases(self, data: TaskData[Actors]) -> Sequence[Phase]:
        return []

    def network(self, data: TaskData[Actors]) -> nn.Module:
        return nn.Identity()

    def score(self, network: nn.Module, samples: Actors, run: Run) -> Scores:
        if "posterior" not in samples.oracle:
            raise UsageError(f"{run.data.name} has no known posterior; score {self.name} on a planted world of actors.")
        return {"scores": np.asarray(samples.oracle["posterior"])}

    def decode(self, scores: Scores, samples: Actors) -> ActorScores:
        return ActorScores(scores["scores"])
