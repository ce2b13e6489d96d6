"""The curves of a training: one point per metric, split and moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from suite.method import Run


@dataclass
class Curves:
    """Points in the order in which they were taken; ``noted`` values wait for the next evaluation point."""

    points: list[dict[str, Any]] = field(default_factory=list)
    noted: dict[str, float] = field(default_factory=dict)

    def note(self, name: str, value: float) -> None:
        """Keep a value that a method logs until the next evaluation."""
        self.noted[name] = float(value)

    def add(self, run: Run, split: str, metric: str, value: float) -> None:
        """A point at the current phase, epoch and step of ``run``."""
        place = {"phase": run.phase.name, "phase_index": run.phase_index, "epoch": run.epoch + 1, "step": run.step}
        self.points.append({**place, "split": split, "metric": metric, "value": float(value)})

    def add_noted(self, run: Run) -> None:
        """Add what was noted since the last evaluation, as ``analysis`` points."""
        for name, value in self.noted.items():
            self.add(run, "analysis", name, value)
        self.noted = {}

    def latest(self, run: Run) -> dict[str, float]:
        """The values of the epoch that just ended, as ``split/metric``."""
        now = (run.phase_index, run.epoch + 1)
        points = (p for p in self.points if (p["phase_index"], p["epoch"]) == now)
        return {f"{p['split']}/{p['metric']}": p["value"] for p in points}
