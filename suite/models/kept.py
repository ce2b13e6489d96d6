"""What is left of a trained network: its weights by selection, and all that is needed to use them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from torch import Tensor

from suite.models.form import Form, form_of
from suite.spec.run import RunSpec
from suite.train.storage.keeping import Keeper, places_of
from suite.train.training import Training

NAME = "kept"  # in the extra of an outcome


@dataclass(frozen=True)
class Kept:
    """The weights of one run by selection, for the process that records the run; nothing of the training is held.

    ``places`` says where in the training each selection lies; ``decided`` what was decided on validation data beside
    the weights (a threshold), by selection; ``lost`` are selections that were asked for and whose weights are gone,
    because the training began without keeping them.
    """

    spec: RunSpec
    form: Form
    weights: Mapping[str, Mapping[str, Tensor]]
    places: Mapping[str, Mapping[str, Any]]
    decided: Mapping[str, Mapping[str, float]]
    numbers: int = 0
    lost: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, spec: RunSpec, training: Training, keeper: Keeper) -> Kept | None:
        """What ``keeper`` took of ``training``; None for a network without weights."""
        weights = {name: found for name, found in keeper.weights.items() if found}
        points = training.evaluation.selector.points
        lost = tuple(name for name in keeper.wanted if name in points and name not in keeper.weights)
        if not weights and not lost:
            return None
        held = {name: points[name] for name in weights}
        decided = {name: decided_by(point.predictions["test"]) for name, point in held.items()}
        numbers = sum(parameter.numel() for parameter in training.run.network.parameters())
        return cls(spec, form_of(training.data), weights, places_of(held), decided, numbers, lost)


def decided_by(predictions: Any) -> dict[str, float]:
    """The numbers beside the arrays of ``predictions``: thresholds that a loss calls for or validation data gave."""
    values = {one.name: getattr(predictions, one.name) for one in fields(predictions)}
    return {name: float(v) for name, v in values.items() if isinstance(v, int | float | np.number)}
