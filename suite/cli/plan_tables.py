"""What ``suite plan`` prints of many runs: one line per row of a board, or one per table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from suite.telling import duration

if TYPE_CHECKING:
    from suite.leaderboard.plan import Plan

Row = dict[str, Any]
COUNTS = ("finished", "to do", "failed", "blocked", "expected", "memory")
ROW = ("method", "dataset", *COUNTS)
TABLE = ("table", "title", "runs", *COUNTS)


def by_row(rows: list[Row]) -> list[Row]:
    """Runs (as ``suite plan --json`` lists them) summed over seeds, for people."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["row"], row["dataset"]), []).append(row)
    return [in_words({"method": key[0], "dataset": key[1], **_sums(group)}) for key, group in groups.items()]


def by_table(plan: Plan, rows: list[Row]) -> list[Row]:
    """Runs summed over each table of the board, in its order; those of a paper that only print fills have no run.

    Seconds and bytes, None where something is unknown. A run of several tables counts in each.
    """
    groups: dict[str, list[Row]] = {one.short: [] for one in plan.board.printed}
    for row in rows:
        groups.setdefault(row["table"], []).append(row)
    titles = {one.short: one.title.removeprefix(f"{one.short}: ") for one in plan.board.printed}
    return [{"table": name, "title": titles.get(name, name), **_sums(group)} for name, group in groups.items()]


def _sums(group: list[Row]) -> Row:
    own = list({(row["run"], row["row"], row["dataset"], row["trial"], row["seed"]): row for row in group}.values())
    counts = Counter(row["status"] for row in own)
    seconds = [row["seconds"] for row in own if row["status"] != "finished"]
    return {
        "runs": len(own),
        "finished": counts["finished"],
        "todo": counts["todo"],
        "failed": sum(row["failed_before"] for row in own),
        "blocked": counts["blocked"],
        "seconds": None if None in seconds else sum(seconds),
        "memory": max((row["memory"] for row in own if row["memory"] is not None), default=None),
        "features": max((row["features"] for row in own if row["features"] is not None), default=None),
    }


def in_words(sums: Row) -> Row:
    """Sums as a line of a table: zeros that say nothing left out."""
    left = sums["todo"] + sums["blocked"]
    known = "unknown" if sums["seconds"] is None else duration(sums["seconds"])
    return {
        **sums,
        "to do": sums["todo"],
        "failed": sums["failed"] or "",
        "blocked": sums["blocked"] or "",
        "expected": known if left else "" if sums["runs"] else "in print only",
        "memory": "" if sums["memory"] is None else gibibytes(sums["memory"]),
    }


def memory_in_words(rows: Iterable[Row]) -> str:
    """What one run needs at most; empty where nothing was measured."""
    measured = [row for row in rows if row["memory"] is not None]
    if not measured:
        return ""
    most, widest = (max(measured, key=lambda row: row[name]) for name in ("memory", "features"))
    mapped = (
        f"; packed features are mapped from disk, up to {gibibytes(widest['features'])} ({widest['dataset']})"
        if widest["features"]
        else ""
    )
    return (
        f"memory: the peak of one run's process, at most {gibibytes(most['memory'])} ({most['row']} on "
        f"{most['dataset']}){mapped}."
    )


def gibibytes(size: float) -> str:
    """Bytes as people read them."""
    return f"{size / 2**30:.1f} GiB"
