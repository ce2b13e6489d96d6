"""What one run holds of a machine or a cluster while it trains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from suite.spec.base import Spec


class Resources(Spec):
    """``workers`` ≥ 1 trains each run on that many Ray Train workers, each with ``cpu`` and ``gpu``; of a fraction
    of a GPU a run may use that share of its memory, and one that took more before does not start. A batch (of a
    worker) is computed in ``accumulate`` pieces, whose gradients are added up."""

    cpu: Annotated[float, Field(gt=0)] = 1.0
    gpu: Annotated[float, Field(ge=0)] = 0.0
    workers: Annotated[int, Field(ge=0)] = 0
    accumulate: Annotated[int, Field(ge=1)] = 1

    def total(self, kind: Literal["cpu", "gpu"]) -> float:
        """What all workers of a run hold together."""
        return (self.cpu if kind == "cpu" else self.gpu) * max(1, self.workers)
