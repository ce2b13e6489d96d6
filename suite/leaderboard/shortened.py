"""Rehearsing a board: the same rows with fewer epochs, seeds and smaller settings, marked wherever they are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from suite.data import find_card
from suite.errors import UsageError, did_you_mean
from suite.hyper import Value
from suite.registry import method, methods
from suite.spec.base import content_hash
from suite.spec.board import LeaderboardSpec, Shortened, TableSpec
from suite.spec.card import parse_dataset_name

LONG = 60  # letters of a folder's name that options may take


def shortened(board: LeaderboardSpec, short: Shortened, whole: LeaderboardSpec | None = None) -> LeaderboardSpec:
    """``board`` as ``short`` asks for it, under a name of its own: its page never replaces the whole one.

    Where ``board`` is a single table, ``whole`` is what it is a part of: the same options are then right for each of
    its tables. Raises :class:`UsageError` for a name that is neither a parameter of a method there nor a dial of a
    dataset.
    """
    if short == Shortened():
        return board
    tables = (whole or board).tables
    named = {entry.method for table in tables for entry in table.methods}
    known = {name for one in (methods() if "all" in named else named) for name in method(one).hypers}
    cards = (find_card(parse_dataset_name(dataset)[0]) for table in tables for dataset in table.datasets)
    dials = {name for card in cards for name in card.dials}
    for name in short.params:
        if name not in known | dials:
            raise UsageError(
                f"no method of leaderboard {board.call} has a parameter '{name}', and no dataset a dial of that "
                f"name{did_you_mean(name, known | dials)}"
            )
    plain = re.sub(r"[^a-z0-9.]+", "-", short.options.replace("--set", "").lower()).strip("-")
    name = f"{board.name}-{plain if len(plain) <= LONG else content_hash(plain)[:8]}"
    fewer = tuple(_fewer(table, short) for table in board.tables)
    return board.model_copy(update={"name": name, "original": board.name, "tables": fewer, "shortened": short})


def with_dials(dataset: str, changed: Mapping[str, Value]) -> str:
    """``dataset`` with those of the ``changed`` dials that its card has."""
    name, dials = parse_dataset_name(dataset)
    card = find_card(name)
    own = {dial: value for dial, value in changed.items() if dial in card.dials}
    return card.label({**dials, **own}) if own else dataset


def _fewer(table: TableSpec, short: Shortened) -> TableSpec:
    return table if short.seeds is None else table.model_copy(update={"seeds": table.seeds[: short.seeds]})
