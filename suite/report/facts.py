"""What stands behind the numbers: resolved hyper-parameters, datasets, versions, machines, commits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from suite.data import find_card
from suite.hyper import Hyper, Value
from suite.method import Method
from suite.presets import preset_of, value_text
from suite.registry import method
from suite.report.links import Links, links
from suite.spec.board import BoardRun
from suite.spec.card import GENERATED

ORIGIN = {  # where the data of a kind come from
    "real": "real data",
    "planted": "planted (generated) data",
    GENERATED: "GENERATED FEATURES in the layout of the real data (a rehearsal)",
}


@dataclass(frozen=True)
class Setting:
    """One hyper-parameter as used: beside its value in the preset of the run; ``changed`` when they differ."""

    name: str
    symbol: str
    value: str
    default: str
    source: str
    help: str
    changed: bool


@dataclass(frozen=True)
class Used:
    """A row's method with its settings, and the datasets on which it used just these."""

    label: str
    method: str
    title: str
    paper: str
    unknown_labels: str
    links: Links
    datasets: tuple[str, ...]
    epochs: int | None
    settings: tuple[Setting, ...]


def used_settings(asked: Iterable[BoardRun]) -> list[Used]:
    """The resolved hyper-parameters of every row, once for all datasets and seeds that share them."""
    groups: dict[tuple[str, str, str], tuple[BoardRun, list[str]]] = {}
    for one in asked:
        key = (one.row, one.spec.method, json.dumps([one.spec.params, one.spec.epochs], sort_keys=True))
        groups.setdefault(key, (one, []))[1].append(one.dataset)
    return [_used(one, tuple(dict.fromkeys(datasets))) for one, datasets in groups.values()]


def _used(one: BoardRun, datasets: tuple[str, ...]) -> Used:
    chosen = method(one.spec.method)
    settings = settings_of(chosen, one.spec.params)
    words = (chosen.name, chosen.title, chosen.paper, chosen.unknown_labels)
    return Used(one.row, *words, links(chosen), datasets, one.spec.epochs, settings)


def settings_of(chosen: type[Method] | None, params: Mapping[str, Any]) -> tuple[Setting, ...]:
    """Each of a run's parameters beside its value in the run's preset.

    ``params`` may come from a ledger: of a method, a preset or a parameter that is declared no longer, the value alone.
    """
    if chosen is None:
        return tuple(Setting(name, "", value_text(value), "", "", "", False) for name, value in sorted(params.items()))
    preset = preset_of(chosen, params)
    reference = chosen.resolve({"preset": preset} if preset in chosen.presets else {})
    return tuple(
        _setting(name, value, reference.get(name, value), chosen.hypers.get(name, Hyper(value)))
        for name, value in sorted(params.items())
    )


def _setting(name: str, value: Value, reference: Value, declared: Hyper) -> Setting:
    """A parameter beside its value in the run's preset."""
    texts = value_text(value), value_text(reference)
    return Setting(name, declared.symbol, *texts, declared.source, declared.help, value != reference)


@dataclass(frozen=True)
class DatasetFacts:
    """A dataset as its card states it, with the fingerprint of what was read."""

    name: str
    title: str
    kind: str
    about: str
    source: str
    licence: str
    citation: str
    fingerprints: tuple[str, ...]


def sources(asked: Sequence[BoardRun], runs: pl.DataFrame) -> list[DatasetFacts]:
    """The datasets asked for, in order."""
    found = []
    for label, name, kind in dict.fromkeys((one.dataset, one.spec.dataset, _kind(one)) for one in asked):
        card = find_card(name)
        prints = runs.filter(pl.col("dataset") == label)["fingerprint"].unique(maintain_order=True).to_list()
        about = f"{ORIGIN[kind]}. {card.about.strip()}" if kind == GENERATED else card.about.strip()
        text = (card.title, kind, about, card.source, card.licence, card.citation)
        found.append(DatasetFacts(label, *text, tuple(filter(None, prints))))
    return found


def _kind(one: BoardRun) -> str:
    return find_card(one.spec.dataset).kind_of(one.spec.dials)


def settings_frame(used: Iterable[Used]) -> pl.DataFrame:
    """All settings as a flat frame, for scripts."""
    rows = [
        {"row": one.label, "method": one.method, "datasets": "; ".join(one.datasets), **vars(setting)}
        for one in used
        for setting in one.settings
    ]
    return pl.DataFrame(rows)


def provenance_rows(runs: pl.DataFrame) -> list[tuple[str, list[str]]]:
    """Distinct versions, machines, commits and code fingerprints of ``runs``, by heading."""
    return [
        ("Computed", _span(runs)),
        ("Compute", [f"{len(runs)} runs, {runs['seconds'].sum() / 60:.1f} minutes in all"]),
        ("Libraries", [pairs(text) for text in _distinct(runs, "versions")]),
        ("Hardware", [pairs(text) for text in _distinct(runs, "hardware")]),
        ("Commit", _distinct(runs, "commit") or ["not in a git repository"]),
        ("Code fingerprints", _codes(runs)),
    ]


def _span(runs: pl.DataFrame) -> list[str]:
    if runs.is_empty():
        return ["nothing yet"]
    first, last = (runs["started"].sort()[place].strftime("%Y-%m-%d %H:%M") for place in (0, -1))
    return [f"{first} to {last} UTC" if first != last else f"{first} UTC"]


def _distinct(runs: pl.DataFrame, column: str) -> list[str]:
    return [text for text in runs[column].unique(maintain_order=True).to_list() if text]


def pairs(text: str) -> str:
    """A JSON object in words: ``name value, name value``."""
    values = json.loads(text)
    return ", ".join(f"{name} {_listed(value)}" for name, value in values.items() if value not in ([], "", None))


def _listed(value: Any) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list) else str(value)


def _codes(runs: pl.DataFrame) -> list[str]:
    pairs = runs.select("method", "code").unique(maintain_order=True).sort("method", "code").iter_rows()
    return [f"{name} {code}" for name, code in pairs if code]
