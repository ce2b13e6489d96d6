"""How long runs take, by the ledger's own timings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from suite.data import find_card
from suite.errors import UsageError
from suite.results.brief import Brief
from suite.runs import dataset_label
from suite.spec.card import parse_dataset_name
from suite.spec.run import RunSpec

Key = tuple[object, ...]
_KEYS = (("method", "dataset", "epochs"), ("method", "dataset"), ("dataset",), ("method",), ())


@dataclass(frozen=True)
class Timings:
    """Median seconds of finished runs, from the most to the least specific key that has been seen."""

    medians: Mapping[Key, float]
    labels: dict[Key, str] = field(default_factory=dict, compare=False, repr=False)  # of datasets with their dials

    @classmethod
    def of(cls, runs: Brief) -> Timings:
        """Timings of the finished ones among a ledger's runs."""
        seconds: dict[Key, list[float]] = {}
        for row in runs:
            if row["status"] == "finished" and row["seconds"] is not None and math.isfinite(row["seconds"]):
                for names in _KEYS:
                    seconds.setdefault((*names, *(row[name] for name in names)), []).append(row["seconds"])
        return cls({key: _median(several) for key, several in seconds.items()})

    def expected(self, spec: RunSpec) -> float | None:
        """Expected seconds of one run, from the nearest runs there are; None where there is nothing to go by.

        Runs of the method on other datasets count by how many training samples those have, where both cards say it.
        """
        return next((seconds for seconds in self._guesses(spec) if seconds is not None), None)

    def known(self, spec: RunSpec) -> bool:
        """Whether a run on the same dataset has been timed."""
        return any(key in self.medians for key in self._same_dataset(spec))

    def total(self, specs: Iterable[RunSpec]) -> float | None:
        """Expected seconds of several runs; None when one of them has nothing to go by."""
        expected = [self.expected(spec) for spec in specs]
        known = [seconds for seconds in expected if seconds is not None]
        return sum(known) if len(known) == len(expected) else None

    def _guesses(self, spec: RunSpec) -> Iterator[float | None]:
        """From the nearest runs to the farthest; None where there are none."""
        yield from map(self.medians.get, self._same_dataset(spec))
        if (seen := self._sized.get(spec.method)) and (size := _samples(spec.dataset)):
            yield _median([seconds * size / there for seconds, there in seen])
        yield from map(self.medians.get, [("method", spec.method), ()])

    @cached_property
    def _sized(self) -> dict[str, list[tuple[float, int]]]:
        """Of each method the seconds and training samples of every dataset of known size on which it was timed."""
        found: dict[str, list[tuple[float, int]]] = {}
        for key, seconds in self.medians.items():
            if key[:2] == ("method", "dataset") and len(key) == 4 and (size := _samples(str(key[3]))):
                found.setdefault(str(key[2]), []).append((seconds, size))
        return found

    def _same_dataset(self, spec: RunSpec) -> list[Key]:
        """Keys of runs on the same dataset, the most similar first."""
        asked = spec.dataset, *spec.dials.items()
        if asked not in self.labels:  # of few datasets, thousands of runs
            self.labels[asked] = dataset_label(spec)
        dataset = self.labels[asked]
        same = ("method", "dataset", "epochs", spec.method, dataset, spec.epochs)
        return [same, ("method", "dataset", spec.method, dataset), ("dataset", dataset)]


def _median(seconds: list[float]) -> float:
    from statistics import median  # slow to load, and a first plan has nothing to take one of

    return median(seconds)


def _samples(dataset: str) -> int:
    """How many samples are trained on at the published size; 0 where no card says it."""
    try:
        size = find_card(parse_dataset_name(dataset)[0]).size
    except UsageError:  # of a card that is gone, or somebody else's
        return 0
    return size.train if size else 0
