"""How numbers moved over versions of code and data: the same request, answered anew whenever one of them changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from suite.evaluate.significance import SeedSummary, summarize
from suite.report.tables import NOTHING, number, points

VERSION = ["code", "fingerprint", "commit"]  # of the sources, the data and the repository


@dataclass(frozen=True)
class Version:
    """The seeds of a request that one version of code and data computed.

    ``values``: the headline on test data by seed, the epoch chosen on validation data; ``runs``: seed to run, finished
    or not; ``change``: against the version before, over the seeds that both have (None for the first, or without any).
    """

    started: datetime
    code: str
    fingerprint: str
    commit: str
    values: Mapping[int, float]
    runs: tuple[tuple[int, str, str], ...]
    change: SeedSummary | None

    @property
    def summary(self) -> SeedSummary:
        """Mean, deviation and interval over its seeds."""
        return summarize(list(self.values.values()))

    @property
    def failed(self) -> int:
        """How many of its runs failed."""
        return sum(status == "failed" for _, _, status in self.runs)

    @property
    def name(self) -> str:
        """When it began and what tells it from others: the commit, or the print of the code where there is none."""
        return f"{self.started:%Y-%m-%d %H:%M} {short(self.commit or self.code)}"


def versions(runs: pl.DataFrame) -> tuple[Version, ...]:
    """The versions that computed the ``runs`` of one request (rows of the ledger with ``value``), the oldest first."""
    found: list[Version] = []
    for part in runs.partition_by(VERSION, maintain_order=True):
        found.append(_version(part, next((one for one in reversed(found) if one.values), None)))
    return tuple(found)


def _version(part: pl.DataFrame, before: Version | None) -> Version:
    first, scored = part.row(0, named=True), part.drop_nulls("value").unique("seed", keep="last", maintain_order=True)
    values = dict(scored.sort("seed").select("seed", "value").iter_rows())
    shared = sorted(values.keys() & before.values.keys()) if before is not None else []
    change = summarize([values[seed] - before.values[seed] for seed in shared]) if before and shared else None
    runs = tuple(part.sort("seed").select("seed", "run", "status").iter_rows())
    return Version(first["started"], first["code"], first["fingerprint"], first["commit"], values, runs, change)


def short(text: str) -> str:
    """The beginning of a fingerprint or commit; what is not committed keeps saying so."""
    return text.removesuffix("-dirty")[:10] + ("-dirty" if text.endswith("-dirty") else "")


def value(version: Version) -> str:
    """Mean and standard deviation over its seeds, in percent."""
    summary = version.summary
    spread = f" ± {number(summary.deviation)}" if summary.count > 1 else ""
    return f"{number(summary.mean)}{spread}" if summary.count else NOTHING


def change(version: Version) -> str:
    """What moved since the version before, with its interval over the seeds that both have."""
    gap = version.change
    if gap is None:
        return ""
    return points(gap.mean) + (f" [{points(gap.low)}, {points(gap.high)}]" if gap.count > 1 else "")
