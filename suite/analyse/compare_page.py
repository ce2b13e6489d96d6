"""A comparison in words, figures and a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from suite.analyse.compare import Compared, Moved
from suite.analyse.matched import Entry, Matched, Row
from suite.errors import SuiteError
from suite.report.figures import COLOURS, blank, fragment
from suite.report.index import About, leave
from suite.report.page import write_page
from suite.report.tables import NOTHING, number, points

if TYPE_CHECKING:
    from markupsafe import Markup

HEADINGS = ("metric", "first", "second", "difference", "95 % interval", "pairs")
ROW_HEADINGS = (
    "row", "dataset", "headline", "first", "second", "difference", "95 % interval", "over", "p", "differs", "setting",
)  # fmt: skip
ENTRY_HEADINGS = ("row", "dataset", "protocol", "setting", "seeds")
NUMBERS = ("first", "second", "difference", "95 % interval", "pairs", "p")  # columns that are aligned as such
DETAILED = 100  # rows of boards and ledgers of which a page shows every number
NAMED = 3  # things that differ which a line of an overview names


@dataclass(frozen=True)
class Part:
    """One comparison of runs on a page: below a ``title`` (empty where it is alone); its ids begin with ``prefix``."""

    title: str
    prefix: str
    found: Compared
    classes: Markup | None


@dataclass(frozen=True)
class Against:
    """The first name against another: the rows of two boards or ledgers (``matched``) before the parts."""

    names: tuple[str, str]
    matched: Matched | None
    parts: tuple[Part, ...]


def line(row: Moved) -> tuple[str, ...]:
    """One metric as text, in percent: means, the difference in points, its interval over the pairs."""
    gap = row.difference
    interval = _interval(gap.low, gap.high)
    return row.name, number(row.first), number(row.second), points(gap.mean), interval, str(gap.count)


def row_line(row: Row) -> tuple[str, ...]:
    """A row of two boards or ledgers as text: its headline, what moved, and what differs."""
    one, found = row.headline, row.resampled
    differs = [name for name, *_ in row.compared.differs]
    more = [f"{len(differs) - NAMED} more"] if len(differs) > NAMED else []
    ends = (", ".join([*differs[:NAMED], *more]), row.settings[0])
    if one is None:
        return row.label, row.dataset, *[NOTHING] * 7, *ends
    over = "items, seeds" if found else f"{one.difference.count} seed{'s' if one.difference.count > 1 else ''}"
    p_value = f"{row.p_value:.3f}" if math.isfinite(row.p_value) else ""
    numbers = (number(one.first), number(one.second), points(one.difference.mean), _interval(*row.interval))
    return row.label, row.dataset, one.name, *numbers, over, p_value, *ends


def entry_line(entry: Entry) -> tuple[str, ...]:
    """A row that one side alone has, as text."""
    first = entry.first
    return entry.label, first["dataset"], first["protocol"], entry.setting, ", ".join(map(str, entry.runs))


def _interval(low: float, high: float) -> str:
    return f"{points(low)} to {points(high)}" if math.isfinite(low) else ""


def resampled_lines(found: Compared) -> list[str]:
    """The bootstrap of each dataset in a sentence."""
    return [
        f"headline on {name}: {points(one.estimate)} points, 95 % interval {points(one.low)} to {points(one.high)}, "
        f"p = {one.p_value:.3f} (bootstrap over test items, seeds drawn along)"
        for name, one in found.resampled.items()
    ]


def matched_line(found: Matched) -> str:
    """Two boards or ledgers in a sentence."""
    beyond = sum(row.beyond for row in found.moved)
    lone = (f"{len(some)} only in {name}" for name, some in zip(found.names, found.only, strict=True))
    return (
        f"{len(found.rows)} row{'' if len(found.rows) == 1 else 's'} in both, {len(found.moved)} moved, "
        f"{beyond} with an interval that leaves out 0; {', '.join(lone)}"
    )


def against(found: Compared | Matched, place: int, alone: bool) -> Against:
    """What a page shows of one comparison, the ``place``-th on it; ``alone``: there is no other."""
    prefix = "" if alone else f"{place}-"
    if isinstance(found, Matched):
        rows = found.moved[:DETAILED]
        titles = [f"{row.label} on {row.dataset}, {row.protocol}" for row in rows]
        parts = [Part(t, f"{prefix}row-{n}-", row.compared, None) for n, (t, row) in enumerate(zip(titles, rows))]
        return Against(found.names, found, tuple(parts))
    title = "" if alone else " against ".join(found.names)
    return Against(found.names, None, (Part(title, prefix, found, _classes(found, prefix) if found.classes else None),))


def write_comparison(found: Sequence[Compared | Matched], file: Path, single: bool = False) -> Path:
    """Write the page of comparisons with the same first name to ``file``; ``single``: with all that it needs in it.

    Raises :class:`SuiteError` when that cannot be.
    """
    shown = [against(one, place, len(found) == 1) for place, one in enumerate(found)]
    title = " against ".join((found[0].names[0], ", ".join(one.names[1] for one in found)))
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    words = {"headings": HEADINGS, "row_headings": ROW_HEADINGS, "entry_headings": ENTRY_HEADINGS, "numbers": NUMBERS}
    tools = {"line": line, "row_line": row_line, "entry_line": entry_line, "said": said}
    try:
        write_page(file, "compare.html.j2", shown, single, title=title, made=made, detailed=DETAILED, **words, **tools)
        counts = _counts(found[0]) if len(found) == 1 else f"{len(found)} comparisons"
        leave(file, About("comparison", title, made, counts, tuple(text for one in found for text in said(one))))
    except OSError as error:
        raise SuiteError(f"cannot write the comparison to {file}: {error.strerror}; choose another --out.") from error
    return file


def said(found: Compared | Matched) -> list[str]:
    """What a comparison says in sentences."""
    return [matched_line(found)] if isinstance(found, Matched) else resampled_lines(found)


def _counts(found: Compared | Matched) -> str:
    if isinstance(found, Matched):
        return f"{len(found.rows)} row{'' if len(found.rows) == 1 else 's'}"
    return f"{len(found.pairs)} pair{'s' if len(found.pairs) > 1 else ''} of runs"


def _classes(found: Compared, prefix: str) -> Markup:
    """Difference of each class as a bar, the mean over pairs."""
    from markupsafe import Markup

    rows = sorted(found.classes, key=lambda row: row.difference.mean)
    figure = blank(120 + 18 * len(rows), xaxis_title=f"{found.names[0]} − {found.names[1]}, points")
    gaps = [round(100 * row.difference.mean, 2) for row in rows]
    colours = [COLOURS[0] if gap >= 0 else COLOURS[4] for gap in gaps]
    figure.add_bar(orientation="h", x=gaps, y=[row.name for row in rows], marker={"color": colours})
    figure.update_yaxes(type="category", dtick=1)
    return Markup(fragment(figure, f"{prefix}classes-figure"))
