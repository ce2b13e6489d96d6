"""Trackers that write files: csv with the ledger's columns, and TensorBoard's event files."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence

from suite.tracking.base import Point, Tracked, flat, name_of

COLUMNS = ("phase", "epoch", "step", "split", "metric", "value")


class CsvTracker:
    """``csv/RUN.csv`` with a row per point; written anew when the run is trained again or goes on."""

    def __init__(self, tracked: Tracked) -> None:
        path = tracked.folder / "csv" / f"{tracked.run}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("w", encoding="utf-8", newline="")
        self.writer = csv.DictWriter(self.file, COLUMNS, extrasaction="ignore")
        self.writer.writeheader()

    def log(self, points: Sequence[tuple[int, Point]]) -> None:
        """See :class:`suite.tracking.base.Tracker`."""
        self.writer.writerows(point for _, point in points)
        self.file.flush()

    def close(self, status: str) -> None:
        """See :class:`suite.tracking.base.Tracker`."""
        self.file.close()


class TensorBoardTracker:
    """``tensorboard/RUN`` with event files; the configuration stands under Text."""

    def __init__(self, tracked: Tracked) -> None:
        from tensorboardX import SummaryWriter

        folder = tracked.folder / "tensorboard" / tracked.title.replace("/", "_")
        shutil.rmtree(folder, ignore_errors=True)
        self.writer = SummaryWriter(str(folder))
        lines = [f"| {name} | {value} |" for name, value in flat(tracked.config).items()]
        self.writer.add_text("run", "\n".join(["| | |", "|---|---|", *lines]))

    def log(self, points: Sequence[tuple[int, Point]]) -> None:
        """See :class:`suite.tracking.base.Tracker`."""
        for step, point in points:
            self.writer.add_scalar(name_of(point), point["value"], step)
        self.writer.flush()

    def close(self, status: str) -> None:
        """See :class:`suite.tracking.base.Tracker`."""
        self.writer.close()
