"""How long runs take, by the ledger's own timings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from suite.runs import dataset_label
from suite.spec.run import RunSpec

Key = tuple[object, ...]


@dataclass(frozen=True)
class Timings:
    """Median seconds of finished runs, from the most to the least specific key that has been seen."""

    medians: Mapping[Key, float]

    @classmethod
    def of(cls, runs: pl.DataFrame) -> Timings:
        """Timings of the finished runs in a ledger's table of runs."""
        done = runs.filter((pl.col("status") == "finished") & pl.col("seconds").is_finite())
        medians: dict[Key, float] = {}
        for keys in (["method", "dataset", "epochs"], ["method", "dataset"], ["dataset"], ["method"], []):
            if keys:
                rows = done.group_by(keys).agg(pl.col("seconds").median()).iter_rows()
            else:
                rows = iter([(done["seconds"].median(),)] if len(done) else [])
            medians.update({(*keys, *row[:-1]): float(row[-1]) for row in rows})
        return cls(medians)

    def expected(self, spec: RunSpec) -> float | None:
        """Expected seconds of one run, from the nearest runs there are; None where there is nothing to go by."""
        keys = [*_same_dataset(spec), ("method", spec.method), ()]
        return next((self.medians[key] for key in keys if key in self.medians), None)

    def known(self, spec: RunSpec) -> bool:
        """Whether a run on the same dataset has been timed."""
        return any(key in self.medians for key in _same_dataset(spec))

    def total(self, specs: Iterable[RunSpec]) -> float | None:
        """Expected seconds of several runs; None when one of them has nothing to go by."""
        expected = [self.expected(spec) for spec in specs]
        known = [seconds for seconds in expected if seconds is not None]
        return sum(known) if len(known) == len(expected) else None


def _same_dataset(spec: RunSpec) -> list[Key]:
    """Keys of runs on the same dataset, the most similar first."""
    dataset = dataset_label(spec)
    same = ("method", "dataset", "epochs", spec.method, dataset, spec.epochs)
    return [same, ("method", "dataset", spec.method, dataset), ("dataset", dataset)]
