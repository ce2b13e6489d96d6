"""What an analysis looks at: one recorded run, its dataset, and what it predicted for a split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.data import load
from suite.errors import UsageError
from suite.evaluate.protocols import TemporalProtocol
from suite.evaluate.segments import Segments
from suite.places import Places
from suite.results.ledger import Ledger
from suite.tasks import task
from suite.tasks.data import TaskData
from suite.tasks.localization.evaluator import counted_videos, protocol_for
from suite.tasks.localization.samples import Videos


@dataclass(frozen=True)
class Subject:
    """A run of temporal localization with the ``samples`` it was scored on and its ``predictions`` for them."""

    run: Mapping[str, Any]
    data: TaskData[Videos]
    samples: Videos
    predictions: Segments

    @property
    def protocol(self) -> TemporalProtocol:
        """The switches that the run was evaluated with."""
        return protocol_for(self.data)

    @property
    def videos(self) -> np.ndarray:
        """Indices of the videos that take part in the protocol."""
        return counted_videos(self.samples, self.protocol)


def subject(ledger: Ledger, prefix: str, places: Places, selection: str = "validation", split: str = "test") -> Subject:
    """The recorded run whose id begins with ``prefix``; raises :class:`UsageError` for a run of another task."""
    import polars as pl

    name = ledger.resolve(prefix)
    row = ledger.runs().filter(pl.col("run") == name).row(0, named=True)
    served = task(row["task"])
    if served.predictions is not Segments:
        raise UsageError(f"run {name} is of the task {row['task']}; this analysis is of temporal localization.")
    if row["status"] != "finished":
        raise UsageError(f"run {name} is {row['status']}; analyse a finished one (suite results list).")
    data: TaskData[Videos] = load(
        row["dataset"], row["task"], places.root, places.cache, protocol=row["protocol"], seed=row["seed"]
    )
    samples = data.split(split)
    found = served.from_rows(ledger.predictions(name, split, selection).to_arrow(), samples)
    return Subject(row, data, samples, found)
