"""``suite.results``, ``suite.load`` and ``suite.evaluate``: what is there, and what it is worth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from suite.api.listing import scored
from suite.api.places import Folder, places_of
from suite.models.model import Model, load_model
from suite.results.ledger import Ledger
from suite.scoring import Against, score_file
from suite.tasks.scoring.report import Report


@dataclass(frozen=True)
class Scored:
    """A file of predictions and its score: ``metrics`` with intervals, ``classes``, and what is odd in the file."""

    path: Path
    form: str
    report: Report

    @property
    def metrics(self) -> pl.DataFrame:
        """``metric``, ``threshold``, ``value``, and ``low`` and ``high`` of 95 % intervals where there are any."""
        return pl.DataFrame([dict(row) for row in self.report.metrics], infer_schema_length=None)

    @property
    def classes(self) -> pl.DataFrame:
        """A row per class."""
        return pl.DataFrame([dict(row) for row in self.report.classes], infer_schema_length=None)

    @property
    def oddities(self) -> list[str]:
        """What is wrong with the file, each in words with its count."""
        return [f"{one.count} x {one.problem}: {one.treatment}" for one in self.report.oddities]

    def _repr_html_(self) -> str:
        odd = "".join(f"<p>{text}</p>" for text in self.oddities)
        return (
            f"<p>{self.path.name} ({self.form}), protocol {self.report.protocol}</p>{self.metrics._repr_html_()}{odd}"
        )


def results(*, out: Folder = None, all_attempts: bool = False) -> pl.DataFrame:
    """The runs that the ledger holds, oldest first, with the ``score`` of each: its task's headline on test data."""
    ledger = Ledger(places_of(out).ledger)
    return scored(ledger, ledger.runs(all_attempts))


def load(
    what: str | Path,
    *,
    selection: str = "",
    gpu: bool = False,
    out: Folder = None,
    data: Folder = None,
    methods: Iterable[str | Path] = (),
) -> Model:
    """The model kept of a run (its id or the beginning of it), or the one in a folder.

    ``selection`` chooses among kept weights: validation, last or oracle. Raises :class:`UsageError` where there is
    none.

    Example: ``suite.load("3f2a").predict(features)``
    """
    return load_model(what, places_of(out, data, methods), selection, "cuda" if gpu else "cpu")


def evaluate(path: str | Path, *, out: Folder = None, data: Folder = None, **against: Any) -> Scored:
    """The score of a file of predictions against ``dataset`` or ``truth``, as ``suite evaluate`` gives it.

    ``against`` are the fields of :class:`suite.scoring.Against`: ``dataset``, ``truth``, ``protocol``, ``videos``,
    ``subset``, ``scores``, ``ambiguous``, ``resamples``.

    Example: ``suite.evaluate("found.json", dataset="thumos-14", protocol="210")``
    """
    file = Path(path)
    form, report = score_file(file, Against(**against), places_of(out, data))
    return Scored(file, form, report)
