"""Which of its trials a row shows: the one that its own validation data chose, the same number for every method.

The metric is the one that chooses epochs within a run: a trial is chosen as an epoch is, and test data have no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from suite.report.aggregate import CELL, asked_frame, values
from suite.results.ledger import Ledger
from suite.spec.board import BoardRun

TRIAL = [*CELL, "trial"]


def trials(asked: pl.DataFrame, validation: pl.DataFrame) -> pl.DataFrame:
    """One row per cell and trial, in the order asked for: ``seeds`` asked, their ``values``, ``mean`` and ``chosen``.

    ``asked`` is :func:`suite.report.aggregate.asked_frame`, ``validation`` its values on validation data. ``values``
    are by seed. The trial with the best mean is chosen, the first of equals; one that lacks seeds (of which a run
    failed, or was not carried out yet) yields to all that lack fewer.
    """
    column, name = pl.col("value"), pl.col("chosen_by")
    rows = validation.filter((pl.col("label") == "") & pl.col("threshold").is_null())
    own = asked.select("run", *TRIAL, "method", "chosen_by", "seed").join(
        rows.filter(pl.col("selection") == "validation").select(*TRIAL, "run", "metric", "value"),
        left_on=[*TRIAL, "run", "chosen_by"],
        right_on=[*TRIAL, "run", "metric"],
        how="left",
        maintain_order="left",
    )
    groups = own.group_by(TRIAL, maintain_order=True).agg(
        pl.col("method").first(),
        name.first(),
        pl.len().alias("seeds"),
        column.sort_by("seed").drop_nulls().alias("values"),
        column.mean().alias("mean"),
    )
    order = groups.with_columns(pl.col("values").list.len().alias("held")).with_row_index("place")
    ranked = order.sort("held", "mean", "place", descending=[True, True, False], nulls_last=True)
    best = ranked.group_by(CELL, maintain_order=True).agg(pl.col("place").first())["place"]
    return order.with_columns(pl.col("place").is_in(best.to_list()).alias("chosen")).drop("place", "held")


def chosen_only(asked: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The rows of ``asked`` that belong to the trials that ``found`` (of :func:`trials`) says were chosen."""
    keep = found.filter("chosen").select(TRIAL)
    return asked.join(keep, on=TRIAL, how="semi", maintain_order="left")


def shown(asked: Iterable[BoardRun], frame: pl.DataFrame) -> list[BoardRun]:
    """The runs that stand in tables: of those ``asked`` the ones of the trials in ``frame`` (:func:`chosen_only`)."""
    chosen = set(frame.select(TRIAL).iter_rows())
    return [one for one in asked if (one.table, one.dataset, one.row, one.trial) in chosen]


def chosen_runs(asked: Sequence[BoardRun], ledger: Ledger) -> list[BoardRun]:
    """Those of ``asked`` that a board's tables show, by what ``ledger`` holds of them."""
    wanted = {one.run for one in asked if one.run}
    frame = asked_frame(asked, ledger.runs().filter(pl.col("run").is_in(sorted(wanted))))
    return shown(asked, chosen_only(frame, trials(frame, values(frame, ledger.metrics(wanted), "validation"))))
