"""All that a ledger holds of one method: each request with its numbers, and how they moved as code and data changed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from suite.method import Method
from suite.presets import changes, preset_of, value_text
from suite.report.numbers import headlines
from suite.report.versions import Version, versions
from suite.results.ledger import Ledger

REQUEST = ["dataset", "protocol", "params", "epochs"]  # with the method: what is asked, whatever computes it


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
    return Request(first["dataset"], first["protocol"], setting(first, chosen), versions(group))


def setting(row: Mapping[str, Any], chosen: type[Method] | None) -> str:
    """The parameters of a run in words: its preset, and what differs from it."""
    params = json.loads(row["params"] or "{}")
    changed: Iterable[tuple[str, Any]] = (changes(chosen, params) if chosen else params).items()
    preset = preset_of(chosen, params) if chosen else ""
    words = [f"{name}={value_text(value)}" for name, value in changed]
    words += [f"{row['epochs']} epochs"] if row["epochs"] else []
    return ", ".join([*([f"preset {preset}"] if preset else []), *words]) or "declared defaults"
