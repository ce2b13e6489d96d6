"""Which of its trials a row shows: the one that its own validation data chose, the same number for every method.

The metric is the one that chooses epochs within a run: a trial is chosen as an epoch is, and test data have no part.
"""

from __future__ import annotations

import polars as pl

from suite.report.aggregate import CELL

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
