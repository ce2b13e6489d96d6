"""The supervised baseline: labelled clips alone, for as many steps as the semi-supervised methods take in all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from methods.actor_detection.parts.base import PUBLISHED, ActorMethod
from suite.method import Phase, Presets, extended, hyper
from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData


class Supervised(ActorMethod):
    """Binary cross-entropy on the labelled people."""

    name = "supervised-actors"
    aliases = ("supervised",)
    title = "Supervised"
    presets: ClassVar[Presets] = extended(
        ActorMethod.presets,
        published={"budget": "published", "batch": 32},  # ACAR: 32 clips per step in all
        acar={**PUBLISHED, "budget": "published", "batch": 32, "head": "relation"},
    )
    paper = "Baseline of Zhang et al., Semi-supervised Learning for Multi-label Video Action Detection, MM 2022"

    budget: str = hyper(
        "matched", choices=("matched", "published"), help="matched: steps + semi_steps; published: the first alone"
    )

    def phases(self, data: TaskData[Actors]) -> Sequence[Phase]:
        return list(super().phases(data))[: 2 if self.budget == "matched" else 1]
