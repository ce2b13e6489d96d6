"""How the ledger holds numbers of predictions that no run here made: files scored by ``suite results add``.

Such a row of ``runs`` has a method that no method can be called, and its metrics stand under a selection of their own:
nobody knows which epoch they come from.
"""

from __future__ import annotations

import polars as pl

METHOD = "file:"  # begins the column method; the label follows
SELECTION = "file"
GROUP = "from a file, scored here"


def is_given(method: str) -> bool:
    """Whether a run's ``method`` says that it is a file of predictions."""
    return method.startswith(METHOD)


def given(runs: pl.DataFrame) -> pl.DataFrame:
    """Those of ``runs`` that are files of predictions, with what may be said of them."""
    return runs.filter(pl.col("method").str.starts_with(METHOD) & (pl.col("status") == "finished"))
