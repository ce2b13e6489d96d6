"""Predictions for new samples: as a table, and as files that ``suite evaluate`` takes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import DataError, UsageError
from suite.evaluate.segments import Segments
from suite.tasks import task
from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

FORMATS = ("json", "csv", "parquet")
VERSION = "weak-action-suite"


@dataclass(frozen=True)
class Predicted:
    """What a model says of ``samples``: ``predictions`` in the task's own form, tables and files of them.

    For localization :class:`suite.evaluate.Segments`, else ``scores`` or ``logits`` (N, C) of all classes.
    """

    task: str
    data: TaskData[Any]
    samples: Any
    predictions: Any

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.data.classes

    def rows(self) -> pa.Table:
        """The rows that the ledger would hold: an ``item`` with ``scores``, or with a label, times and a score."""
        import pyarrow as pa

        return pa.table(dict(task(self.task).to_rows(self.predictions, self.samples)))

    def to_frame(self) -> pl.DataFrame:
        """A table for people: scored segments with the names of classes, or a probability per class and item."""
        import polars as pl

        if isinstance(self.predictions, Segments):
            found = self.predictions
            names = np.array(self.classes, dtype=object)[found.label].tolist()
            items = self.samples.ids[found.video].tolist()
            times = {"start": found.start, "end": found.end, "score": found.score}
            return pl.DataFrame({"item": items, "label": names, **times})
        scores = self.probabilities()
        columns = {name: scores[:, place] for place, name in enumerate(self.classes)}
        return pl.DataFrame({"item": self.samples.ids.tolist(), **columns})

    def probabilities(self) -> np.ndarray:
        """(N, C) probabilities of the classes; raises :class:`UsageError` where segments are predicted."""
        if isinstance(self.predictions, Segments):
            raise UsageError("segments are predicted, each with its score; see to_frame().")
        scores = np.asarray(getattr(self.predictions, "scores", getattr(self.predictions, "logits", None)))
        if task(self.task).scale != "logits":
            return scores
        return 1 / (1 + np.exp(-scores.astype(np.float64)))

    def write(self, path: str | Path) -> Path:
        """Write a file whose form follows from its name: ActivityNet ``.json``, ``.csv`` or the ledger's ``.parquet``.

        Raises :class:`UsageError` for another name, :class:`DataError` where it cannot be written.
        """
        path = Path(path)
        writers: dict[str, Callable[[Path], None]] = dict(zip(FORMATS, (self._json, self._csv, self._parquet)))
        write = writers.get(path.suffix.removeprefix("."))
        if write is None:
            raise UsageError(f"{path.name} names no form of file; end it with .json, .csv or .parquet.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path)
        except OSError as error:
            raise DataError(f"cannot write {path}: {error.strerror or error}; choose another place.") from None
        return path

    def _json(self, path: Path) -> None:
        results: dict[str, list[dict[str, Any]]] = {str(item): [] for item in self.samples.ids}
        if isinstance(self.predictions, Segments):
            for item, label, start, end, score in self.to_frame().iter_rows():
                results[item].append({"label": label, "score": score, "segment": [start, end]})
        else:
            for item, scores in zip(results, self.probabilities().tolist()):
                order = sorted(range(len(scores)), key=lambda place: -scores[place])
                results[item] = [{"label": self.classes[place], "score": scores[place]} for place in order]
        content = {"version": VERSION, "results": results, "external_data": {}}
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    def _csv(self, path: Path) -> None:
        if isinstance(self.samples, Actors):
            self._ava(path)
            return
        frame = self.to_frame()
        frame.rename({"item": "id"} if "label" not in frame.columns else {}).write_csv(path)

    def _ava(self, path: Path) -> None:
        """AVA's csv: video, second, box, class number, score."""
        people, scores = self.samples, self.probabilities()
        numbers = self.data.facts.get("class_ids") or range(1, len(self.classes) + 1)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            for row in range(len(people)):
                place = [people.video[row], f"{people.second[row]:04g}", *people.box[row].tolist()]
                writer.writerows([*place, number, score] for number, score in zip(numbers, scores[row].tolist()))

    def _parquet(self, path: Path) -> None:
        import pyarrow.parquet as pq

        pq.write_table(self.rows(), path)

    def _repr_html_(self) -> str:
        """A table in a notebook."""
        return str(self.to_frame()._repr_html_())
