"""``suite.train``: one run, as an object that a notebook shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from suite.api.places import Folder, places_of
from suite.errors import UsageError
from suite.models.folder import models_folder
from suite.models.model import Model, load_model
from suite.places import Places
from suite.registry import method as find_method
from suite.results.ledger import Ledger
from suite.runs import resolve_run
from suite.spec.run import Precision, RunSpec
from suite.tasks import task
from suite.tracking.watching import require
from suite.train.selection import SELECTIONS
from suite.train.storage.keeping import Keep
from suite.train.storage.reporter import Calling, Progress
from suite.work.machine import Machine
from suite.work.once import run_once
from suite.work.preparation import require_device

if TYPE_CHECKING:
    from collections.abc import Callable

    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Trained:
    """A run that the ledger holds: its numbers, curves, predictions and weights. Made by :func:`train`."""

    run: str
    spec: RunSpec
    places: Places

    @property
    def ledger(self) -> Ledger:
        """The ledger that holds it."""
        return Ledger(self.places.ledger)

    @property
    def headline(self) -> float:
        """The task's first metric on test data, for the epoch that validation data chose; a share, not percent."""
        found = self.metrics().filter((pl.col("metric") == self._headline) & pl.col("threshold").is_null())
        return float(found["validation"][0])

    @property
    def _headline(self) -> str:
        return task(find_method(self.spec.method).task).headline

    def metrics(self, split: str = "test") -> pl.DataFrame:
        """``metric`` and ``threshold`` with a column for each way to choose the epoch, the headline first."""
        rows = self.ledger.metrics([self.run]).filter((pl.col("label") == "") & (pl.col("split") == split))
        rows = rows.filter(pl.col("selection").is_in(SELECTIONS))
        table = rows.pivot("selection", index=["metric", "threshold"], values="value", aggregate_function="first")
        columns = [name for name in SELECTIONS if name in table.columns]
        first = (pl.col("metric") != self._headline, pl.col("threshold").is_not_null(), "metric", "threshold")
        return table.sort(*first).select("metric", "threshold", *columns)

    def classes(self, split: str = "test", selection: str = "validation") -> pl.DataFrame:
        """Metrics of single classes: ``label``, ``metric``, ``threshold``, ``value``."""
        here = (pl.col("label") != "") & (pl.col("split") == split) & (pl.col("selection") == selection)
        return self.ledger.metrics([self.run]).filter(here).select("label", "metric", "threshold", "value")

    def curves(self) -> pl.DataFrame:
        """What was measured while it trained: ``phase``, ``epoch``, ``step``, ``split``, ``metric``, ``value``."""
        return self.ledger.curves([self.run]).drop("run", "attempt")

    def predictions(self, split: str = "test", selection: str = "validation") -> pl.DataFrame:
        """The predictions that were scored."""
        return self.ledger.predictions(self.run, split, selection)

    def model(self, selection: str = "") -> Model:
        """The kept weights, ready to predict; raises :class:`UsageError` where none were kept."""
        return load_model(self.run, self.places, selection)

    def figure(self) -> Figure | None:
        """Its curves as a plotly figure; None for a method that is not trained."""
        from suite.report.run_page import curves_figure

        row = {"method": self.spec.method, "task": find_method(self.spec.method).task}
        return curves_figure(row, self.ledger.curves([self.run]))

    def _repr_html_(self) -> str:
        heading = f"{self.spec.method} on {self.spec.dataset}, seed {self.spec.seed}: run {self.run}, test data"
        return f"<p>{heading}</p>{self.metrics()._repr_html_()}"

    def __repr__(self) -> str:
        return (
            f"Trained({self.spec.method} on {self.spec.dataset}, {self._headline} {self.headline:.4f}, run {self.run})"
        )


def train(
    method: str,
    dataset: str,
    *,
    preset: str | None = None,
    seed: int = 0,
    epochs: int | None = None,
    protocol: str = "default",
    precision: Precision = "float32",
    workers: int = 0,
    accumulate: int = 1,
    gpu: bool = False,
    threads: int = 1,
    again: bool = False,
    keep: Keep = "selected",
    log: Sequence[str] = (),
    watch: Callable[[Progress], bool | None] | None = None,
    out: Folder = None,
    data: Folder = None,
    methods: Iterable[str | Path] = (),
    settings: dict[str, Any] | None = None,
    **params: Any,
) -> Trained:
    """Train ``method`` on ``dataset`` as ``suite train`` does, or take the run from the ledger; returns the run.

    ``params`` are hyper-parameters by name; those whose names are taken by arguments of this function (a method's own
    ``epochs``) go into ``settings``. ``watch`` is called after each epoch and stops the training by returning False.

    Raises:
        UsageError: what is asked for does not exist or does not go together.
        TrainingError: the run failed; its row with the error is in the ledger.

    Example: ``suite.train("asl", "planted-videos", q=0.5)``
    """
    places = places_of(out, data, methods)
    given = {**(settings or {}), **params, **({"preset": preset} if preset else {})}
    asked: dict[str, Any] = {"protocol": protocol, "seed": seed, "epochs": epochs, "precision": precision}
    spec = resolve_run(method, dataset, given, root=places.root, models=models_folder(places), **asked)
    device = "cuda" if gpu else "cpu"
    machine = Machine(device, threads, workers, keep=keep, log=require(log), accumulate=accumulate)
    require_device(device)
    reporting = None if watch is None else (lambda: nullcontext(Calling(watch)))
    once = run_once(spec, places, machine, reporting, again=again)
    if once.outcome is not None and not once.outcome.extra.get("complete", True):
        raise UsageError(f"run {once.run} was stopped before its end; the same call goes on from there.")
    return Trained(once.run, spec, places)
