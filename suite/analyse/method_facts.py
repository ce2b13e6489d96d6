"""All that a ledger holds of one method: each request with its numbers, and how they moved as code and data changed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from suite.evaluate.significance import SeedSummary, summarize
from suite.method import Method
from suite.presets import changes, preset_of, value_text
from suite.report.index import headlines
from suite.results.ledger import Ledger

REQUEST = ["dataset", "protocol", "params", "epochs"]  # with the method: what is asked, whatever computes it
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


@dataclass(frozen=True)
class Request:
    """One setting of the method on one dataset under one protocol, its ``versions`` from the oldest to the newest."""

    dataset: str
    protocol: str
    setting: str
    versions: tuple[Version, ...]

    @property
    def latest(self) -> Version:
        """The newest version that has numbers, or else the newest."""
        return next((one for one in reversed(self.versions) if one.values), self.versions[-1])


def scored_runs(ledger: Ledger, names: Collection[str]) -> pl.DataFrame:
    """The runs of the methods ``names`` with their headline as ``value``, the oldest first."""
    runs = ledger.runs().filter(pl.col("method").is_in(sorted(set(names))))
    return runs.join(headlines(ledger, runs), on="run", how="left", maintain_order="left").sort("started", "run")


def requests(scored: pl.DataFrame, name: str, chosen: type[Method] | None, dataset: str = "") -> list[Request]:
    """What the ``scored`` runs hold of the method ``name``, by dataset.

    ``dataset``: only that one; its bare name stands for all its dials.
    """
    on = pl.col("dataset")
    wanted = (on == dataset) | (on.str.split("[").list.first() == dataset) if dataset else pl.lit(True)
    groups = scored.filter((pl.col("method") == name) & wanted).partition_by(REQUEST, maintain_order=True)
    found = [_request(group, chosen) for group in groups if len(group)]
    return sorted(found, key=lambda one: (one.dataset, one.protocol, one.setting))


def _request(group: pl.DataFrame, chosen: type[Method] | None) -> Request:
    first = group.row(0, named=True)
    versions: list[Version] = []
    for part in group.partition_by(VERSION, maintain_order=True):
        versions.append(_version(part, versions[-1] if versions else None))
    return Request(first["dataset"], first["protocol"], setting(first, chosen), tuple(versions))


def _version(part: pl.DataFrame, before: Version | None) -> Version:
    first, scored = part.row(0, named=True), part.drop_nulls("value").unique("seed", keep="last", maintain_order=True)
    values = dict(scored.sort("seed").select("seed", "value").iter_rows())
    shared = sorted(values.keys() & before.values.keys()) if before is not None else []
    change = summarize([values[seed] - before.values[seed] for seed in shared]) if before and shared else None
    runs = tuple(part.sort("seed").select("seed", "run", "status").iter_rows())
    return Version(first["started"], first["code"], first["fingerprint"], first["commit"], values, runs, change)


def setting(row: Mapping[str, Any], chosen: type[Method] | None) -> str:
    """The parameters of a run in words: its preset, and what differs from it."""
    params = json.loads(row["params"] or "{}")
    changed: Iterable[tuple[str, Any]] = (changes(chosen, params) if chosen else params).items()
    preset = preset_of(chosen, params) if chosen else ""
    words = [f"{name}={value_text(value)}" for name, value in changed]
    words += [f"{row['epochs']} epochs"] if row["epochs"] else []
    return ", ".join([*([f"preset {preset}"] if preset else []), *words]) or "declared defaults"
