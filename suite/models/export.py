"""A kept model as a folder of its own, with a card that knows all seeds of the same run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl

from suite.errors import DataError, UsageError
from suite.models.card import card
from suite.models.folder import CONFIG, README, WEIGHTS, ModelFolder
from suite.results.ledger import Ledger

SAME = ("method", "dataset", "protocol", "params", "epochs", "code", "fingerprint")  # of runs that differ in the seed


def export_model(model: ModelFolder, ledger: Ledger, folder: Path) -> Path:
    """Copy ``model`` to ``folder`` and write its card anew from what ``ledger`` holds; returns the folder.

    Raises :class:`UsageError` where other files are in the way, :class:`DataError` where nothing can be written.
    """
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]) and not (folder / CONFIG).is_file():
        raise UsageError(f"{folder} holds other files; name a folder that is new or holds an exported model.")
    try:
        shutil.copytree(model.path, folder, dirs_exist_ok=True)
        (folder / README).write_text(fresh_card(model.config, ledger), encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror or error}; choose another folder.") from None
    return folder


def fresh_card(config: dict[str, Any], ledger: Ledger) -> str:
    """The card of a model with the numbers of every seed of its run that the ledger holds."""
    metrics = ledger.metrics([config["run"]]).to_dicts()
    runs = ledger.runs().filter(pl.col("status") == "finished")
    own = runs.filter(pl.col("run") == config["run"])
    if own.is_empty():
        raise UsageError(f"run {config['run']} is not in the ledger {ledger.folder}; copy its folder as it is.")
    same = runs.join(own.select(SAME), on=SAME, how="semi", nulls_equal=True).unique("seed", keep="last").sort("seed")
    return card(config, metrics, [ledger.metrics([run]).to_dicts() for run in same["run"]])


def files_of(folder: Path) -> list[Path]:
    """The files of an exported model, those that the hub wants first."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return sorted(found, key=lambda path: (path.name not in (README, CONFIG, WEIGHTS), path))
