"""What a tracker gets of a run, and how points become names and steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Point = Mapping[str, Any]  # a row of the ledger's curves: phase, epoch, step, split, metric, value
PROJECT = "weak-action-suite"


@dataclass(frozen=True)
class Tracked:
    """The run that is tracked: its id, what was asked, the sweep or board that asked, and where it can be looked up.

    ``folder`` is where a tracker may write.
    """

    run: str
    title: str
    group: str
    config: Mapping[str, Any]
    folder: Path

    @classmethod
    def of(cls, row: Mapping[str, Any], folder: Path, ledger: str, page: Path) -> Tracked:
        """The run of a ``row`` of the ledger."""
        names = (
            "run",
            "method",
            "dataset",
            "task",
            "protocol",
            "seed",
            "epochs",
            "group",
            "code",
            "fingerprint",
            "commit",
        )
        links = {"ledger": ledger, "page": str(page), "show": f"suite results show {row['run']}"}
        config = {**{name: row[name] for name in names}, **links, "params": json.loads(row["params"])}
        title = f"{row['method']} {row['dataset']} seed {row['seed']} {row['run'][:8]}"
        return cls(row["run"], title, row["group"], config, folder)


class Tracker(Protocol):
    """Gets the points of one run in their order, and its end."""

    def log(self, points: Sequence[tuple[int, Point]]) -> None:
        """Points with their optimizer step counted over all phases."""

    def close(self, status: str) -> None:
        """The run ended: finished, failed or stopped."""


class Steps:
    """Optimizer steps counted over all phases: the points of each phase begin at step 0."""

    def __init__(self) -> None:
        self.phase, self.before, self.last = -1, 0, 0

    def at(self, point: Point) -> int:
        """The step of ``point`` since the beginning of the training."""
        if point["phase_index"] != self.phase:
            self.phase, self.before = point["phase_index"], self.last
        self.last = max(self.last, self.before + int(point["step"]))
        return self.before + int(point["step"])


def name_of(point: Point) -> str:
    """``split/metric``."""
    return f"{point['split']}/{point['metric']}"


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without nesting: ``params.lr``."""
    params = {f"params.{name}": value for name, value in config["params"].items()}
    return {**{name: value for name, value in config.items() if name != "params"}, **params}
