"""The types that datasets and methods share, under one address."""

from __future__ import annotations

from suite.tasks.actors.samples import Actors, ActorScores
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from suite.tasks.recognition.samples import Clips, ClipScores

__all__ = ["ActorScores", "Actors", "ClipScores", "Clips", "TaskData", "Videos"]
