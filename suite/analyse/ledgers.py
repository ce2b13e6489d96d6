"""Two ledgers: which of the runs that both hold have other numbers, and which runs only one of them holds."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from suite.results.ledger import Ledger

ASKED = ["method", "dataset", "protocol", "seed", "params", "epochs"]  # what makes two runs the same request
SCORED = ["split", "selection", "metric", "label", "threshold"]


@dataclass(frozen=True)
class LedgerDifference:
    """``changed``: a row per request whose numbers differ, with the largest difference; ``same``: how many do not.

    ``only_old``, ``only_new``: requests that one ledger alone has finished.
    """

    changed: pl.DataFrame
    same: int
    only_old: pl.DataFrame
    only_new: pl.DataFrame


def difference(old: Ledger, new: Ledger, tolerance: float = 0.0) -> LedgerDifference:
    """Compare the finished runs of two ledgers, request by request; numbers differ by more than ``tolerance``."""
    before, after = (_latest(ledger) for ledger in (old, new))
    both = before.join(after, on=ASKED, how="inner", suffix="_new", nulls_equal=True)
    values = [_numbers(old, both["run"]), _numbers(new, both["run_new"])]
    paired = both.select("run", "run_new").join(values[0], on="run")
    paired = paired.join(values[1].rename({"run": "run_new"}), on=["run_new", *SCORED], suffix="_new", nulls_equal=True)
    moved = (pl.col("value_new") - pl.col("value")).alias("difference")
    largest = paired.with_columns(moved).sort(pl.col("difference").abs(), descending=True).unique("run", keep="first")
    apart = largest.filter(pl.col("difference").abs() > tolerance)
    changed = both.join(apart.drop("run_new"), on="run", how="inner").sort("method", "dataset", "seed")
    shown = [*ASKED[:4], "run", "run_new", "split", "selection", "metric", "label", "threshold"]
    return LedgerDifference(
        changed.select(*shown, "value", "value_new", "difference"),
        len(both) - len(changed),
        before.join(after, on=ASKED, how="anti", nulls_equal=True),
        after.join(before, on=ASKED, how="anti", nulls_equal=True),
    )


def _latest(ledger: Ledger) -> pl.DataFrame:
    """The newest finished run of each request (other code or data makes another run of the same request)."""
    rows = ledger.runs().filter(pl.col("status") == "finished").sort("started", "run")
    return rows.unique(ASKED, keep="last", maintain_order=True).select(*ASKED, "run")


def _numbers(ledger: Ledger, runs: pl.Series) -> pl.DataFrame:
    rows = ledger.metrics(runs.to_list()).select("run", *SCORED, "value").filter(pl.col("value").is_finite())
    return rows.unique(["run", *SCORED], keep="last")
