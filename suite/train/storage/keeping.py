"""The weights behind a training's selected points, taken while the network still has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn

from suite.method import Run
from suite.train.selection import SELECTIONS, Point
from suite.train.storage import checkpoint
from suite.train.training import Training

Keep = Literal["selected", "last", "all", "none"]
KEPT: Mapping[Keep, tuple[str, ...]] = {"selected": ("validation",), "last": ("last",), "all": SELECTIONS, "none": ()}

Tensors = dict[str, Tensor]


class Keeper:
    """Keeps the weights of ``training`` at the points that ``keep`` names, by selection.

    :meth:`look` has to be called after each evaluation point and before the next step.
    """

    def __init__(self, training: Training, keep: Keep) -> None:
        self.training, self.wanted = training, KEPT[keep]
        self.seen: dict[str, Point] = {}
        self.weights: dict[str, Tensors] = {}

    def look(self) -> None:
        """Take the weights that were evaluated last, for each selection that has just chosen them."""
        points = self.training.evaluation.selector.points
        new = [name for name in self.wanted if name in points and points[name] is not self.seen.get(name)]
        if not new:
            return
        taken = {name: t.detach().cpu().clone() for name, t in evaluated(self.training.run).state_dict().items()}
        for name in new:
            self.seen[name], self.weights[name] = points[name], taken

    def tensors(self) -> Tensors:
        """The weights so far, for a checkpoint."""
        return {f"{name}/{key}": t for name, found in self.weights.items() for key, t in found.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`tensors` gave; the training has its points already.

        Of a point before the interruption whose weights were not kept then, there are none: those that the network has
        later are others.
        """
        self.seen = dict(self.training.evaluation.selector.points)
        self.weights = {name: found for name in self.wanted if (found := checkpoint.under(name, tensors))}


def evaluated(run: Run) -> nn.Module:
    """The network whose weights the current phase evaluates."""
    return run.teacher if run.phase.evaluate == "average" and run.teacher is not None else run.network


def places_of(points: Mapping[str, Point]) -> dict[str, dict[str, Any]]:
    """Where in the training each selected point lies, as JSON."""
    return {name: {"phase": p.phase, "epoch": p.epoch, "step": p.step} for name, p in points.items()}
