"""The ledger as plain files, for other tools."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from suite.errors import SuiteError
from suite.results.ledger import Ledger


def export(ledger: Ledger, folder: Path, format: str = "csv", predictions: bool = False) -> dict[Path, int]:
    """Write the live rows of every table as CSV or Parquet below ``folder``; returns each file's number of rows.

    Raises :class:`SuiteError` when the folder cannot be written.
    """
    frames = {"runs": ledger.runs(), "metrics": ledger.metrics(), "curves": ledger.curves()}
    if predictions:
        frames["predictions"] = ledger.all_predictions()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return {_write(frame, folder / f"{name}.{format}"): len(frame) for name, frame in frames.items()}
    except OSError as error:
        raise SuiteError(f"cannot export to {folder}: {error.strerror}; choose another folder.") from error


def _write(frame: pl.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.write_parquet(path)
        return path
    lists = [name for name, kind in frame.schema.items() if kind.is_nested()]
    frame.with_columns(pl.col(name).cast(pl.List(pl.String)).list.join(" ") for name in lists).write_csv(path)
    return path
