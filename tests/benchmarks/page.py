"""``RESULTS.md`` and the short table of the README, from what the benchmarks left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from tests.benchmarks.rows import Row, shown

HEAD = """# What the benchmarks measured

`make bench-results` runs every benchmark and writes this page, `python -m tests.benchmarks results NAME` one of them.
Seconds are CPU time on the machine that stands beside them, wall time where processes work together (`boards`,
`ledger`, `sweep`, a trial in `sweep_scaling`); a ratio compares two ways in the same run. *Ceiling*: the seconds that
the named part of the work takes on the same machine, at the best rate measured in the same run, over the seconds of the
row, which may have to do more than that part. A row is measured anew by the command at the head of its table.
"""
GROWTH = "## How cost grows\n\nFitted by least squares: seconds go like size to the exponent.\n"


def written(kept: Sequence[Mapping[str, Any]], missed: str) -> tuple[str, str]:
    """The page, and the table of those rows that have a target; ``missed`` is Markdown about targets not reached."""
    parts = [HEAD]
    rows = [(one, row_of(line)) for one in kept for line in one["rows"] if line["kind"] == "row"]
    aimed = [(one, row) for one, row in rows if row.reached is not None]
    if aimed:
        parts += ["## Targets\n", table(aimed, with_command=True)]
    grown = [(one, line) for one in kept for line in one["rows"] if line["kind"] == "growth"]
    if grown:
        parts += [GROWTH, growth(grown)]
    if missed:
        parts.append(missed)
    for one in kept:
        parts.append(section(one, [row for own, row in rows if own is one]))
    return "\n".join(parts), table(aimed, with_command=False)


def row_of(line: Mapping[str, Any]) -> Row:
    """The row that was recorded as a line."""
    return Row(**{field.name: line[field.name] for field in fields(Row) if field.name in line})


def section(one: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """One benchmark: its rows, and what it printed where it records none."""
    ended = "" if one["ended"] == "finished" else f" It {one['ended']}."
    lines = [f"## {one['benchmark']}\n", f"`python -m tests.benchmarks {one['benchmark']}`, {one['date']}, "]
    lines[-1] += f"{one['machine']}.{ended}\n"
    if rows:
        lines.append(table([(one, row) for row in rows], with_command=False))
    if not one["rows"] and one["printed"]:
        lines.append("```text\n" + "\n".join(one["printed"]) + "\n```\n")
    return "\n".join(lines)


def table(rows: Iterable[tuple[Mapping[str, Any], Row]], with_command: bool) -> str:
    """A Markdown table; with the benchmark, the machine and the date where rows of several stand together."""
    more = ["benchmark", "measured"] if with_command else []
    head = ["what", "seconds", "times faster", "than", "ceiling", "target", *more]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for one, row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.1f}"
        share = row.bound if row.share is None else f"{shown(row.share)}: {row.bound}"
        cells = [row.what, f"{row.seconds:.3g}", ratio, row.against, share, _target(row)]
        cells += [f"`{one['benchmark']}`", f"{one['date']}, {one['machine']}"] if with_command else []
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _target(row: Row) -> str:
    if row.reached is None:
        return ""
    wanted = f"{row.least:g} s" if row.least is not None else f"{row.target:g} times"
    return f"{wanted}: {'reached' if row.reached else '**missed**'}"


def growth(grown: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """A Markdown table of fitted exponents."""
    lines = ["| what | axis | sizes | seconds | exponent | measured |", "|---|---|---|---|---|---|"]
    for one, line in grown:
        sizes = ", ".join(f"{size:,}" for size in line["sizes"])
        seconds = ", ".join(f"{taken:.3g}" for taken in line["seconds"])
        cells = [line["what"], line["axis"], sizes, seconds, f"{line['exponent']:.2f}", one["date"]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
