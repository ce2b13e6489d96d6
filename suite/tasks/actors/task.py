"""The task of multi-label actor detection."""

from __future__ import annotations

from typing import Any

from suite.tasks.actors.evaluator import actor_map, evaluate
from suite.tasks.actors.samples import Actors, ActorScores
from suite.tasks.actors.scoring.files import BoxFiles
from suite.tasks.actors.scoring.tube_files import TubeFiles
from suite.tasks.actors.splits import withhold_labels
from suite.tasks.base import Resampled, Task
from suite.tasks.checks import column_per_class, same_length
from suite.tasks.data import TaskData
from suite.tasks.scoring.report import with_intervals


class ActorDetectionTask(Task):
    """People in clips; the scores of all classes are predicted for each."""

    name = "actor-detection"
    title = "Multi-label actor detection"
    headline = "mAP"
    learns_from = "boxes and label sets for 5-100 % of clips"
    predicts = "label scores per box"
    samples = Actors
    predictions = ActorScores
    scale = "probabilities"
    planted = "planted-actors"
    files = (BoxFiles(), TubeFiles())
    evaluate = staticmethod(evaluate)
    withhold = staticmethod(withhold_labels)

    def check(self, samples: Actors, split: str, classes: int) -> None:
        """Labels agree with the people and with the classes."""
        same_length(samples, split, ("labelled",))
        column_per_class(samples, split, ("labels", "truth_labels"), classes)

    def counts(self, samples: Actors) -> dict[str, int]:
        """Labels of the people that are scored."""
        return {"labels": int(samples.labels.sum())}

    def intervals(
        self, metrics: list[dict[str, Any]], predictions: ActorScores, data: TaskData[Any], resamples: int
    ) -> list[dict[str, Any]]:
        """Of frame mAP; a bootstrap draws videos."""
        matches = actor_map(predictions, data.test, data).matches
        return with_intervals(matches, "mAP", resamples)[1:] + metrics[1:]

    def resampled(self, predictions: ActorScores, samples: Actors, data: TaskData[Any]) -> Resampled:
        """Frame mAP; a bootstrap draws videos."""
        matches = actor_map(predictions, samples, data).matches
        return Resampled(matches.average_map, len(matches.units))
