"""What an analysis looks at: one recorded run, its dataset, and what it predicted for a split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.data import load
from suite.data.samples import TaskData, Videos
from suite.errors import UsageError
from suite.evaluate.protocols import TemporalProtocol
from suite.evaluate.segments import Segments
from suite.places import Places
from suite.results.ledger import Ledger
from suite.tasks.localization import TASKS, protocol_of
from suite.tasks.storage.rows import predictions_from


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
        return protocol_of(self.data.facts.get("protocol", {}))

    @property
    def videos(self) -> np.ndarray:
        """Indices of the videos that take part in the protocol."""
        left_out = set(self.protocol.excluded_videos)
        return np.array([v for v, name in enumerate(self.samples.ids.tolist()) if name not in left_out], dtype=np.int64)


def subject(ledger: Ledger, prefix: str, places: Places, selection: str = "validation", split: str = "test") -> Subject:
    """The recorded run whose id begins with ``prefix``; raises :class:`UsageError` for a run of another task."""
    import polars as pl

    name = ledger.resolve(prefix)
    row = ledger.runs().filter(pl.col("run") == name).row(0, named=True)
    if row["task"] not in TASKS:
        raise UsageError(f"run {name} is of the task {row['task']}; this analysis is of temporal localization.")
    if row["status"] != "finished":
        raise UsageError(f"run {name} is {row['status']}; analyse a finished one (suite results list).")
    data: TaskData[Videos] = load(
        row["dataset"], row["task"], places.root, places.cache, protocol=row["protocol"], seed=row["seed"]
    )
    samples = data.split(split)
    found = predictions_from(ledger.predictions(name, split, selection).to_arrow(), samples)
    assert isinstance(found, Segments)
    return Subject(row, data, samples, found)
