"""A comparison in words, figures and a page."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from suite.analyse.compare import Compared, Moved
from suite.errors import SuiteError
from suite.report.figures import COLOURS, blank, fragment
from suite.report.index import About, leave
from suite.report.page import write_page
from suite.report.tables import number, points

if TYPE_CHECKING:
    from markupsafe import Markup

HEADINGS = ("metric", "first", "second", "difference", "95 % interval", "pairs")


def line(row: Moved) -> tuple[str, ...]:
    """One metric as text, in percent: means, the difference in points, its interval over the pairs."""
    gap = row.difference
    interval = f"{points(gap.low)} to {points(gap.high)}" if math.isfinite(gap.low) else ""
    return row.name, number(row.first), number(row.second), points(gap.mean), interval, str(gap.count)


def resampled_lines(found: Compared) -> list[str]:
    """The bootstrap of each dataset in a sentence."""
    return [
        f"headline on {name}: {points(one.estimate)} points, 95 % interval {points(one.low)} to {points(one.high)}, "
        f"p = {one.p_value:.3f} (bootstrap over test items, seeds drawn along)"
        for name, one in found.resampled.items()
    ]


def write_comparison(found: Compared, file: Path) -> Path:
    """Write the page of a comparison to ``file``; raises :class:`SuiteError` when that cannot be."""
    drawn = {} if not found.classes else {"Classes, sorted by what moved": _classes(found)}
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    try:
        write_page(
            file, "compare.html.j2", found, drawn=drawn, headings=HEADINGS, line=line, said=resampled_lines, made=made
        )
        pairs = f"{len(found.pairs)} pair{'s' if len(found.pairs) > 1 else ''} of runs"
        leave(file, About("comparison", " against ".join(found.names), made, pairs, tuple(resampled_lines(found))))
    except OSError as error:
        raise SuiteError(f"cannot write the comparison to {file}: {error.strerror}; choose another --out.") from error
    return file


def _classes(found: Compared) -> Markup:
    """Difference of each class as a bar, the mean over pairs."""
    from markupsafe import Markup

    rows = sorted(found.classes, key=lambda row: row.difference.mean)
    figure = blank(120 + 18 * len(rows), xaxis_title=f"{found.names[0]} − {found.names[1]}, points")
    gaps = [round(100 * row.difference.mean, 2) for row in rows]
    colours = [COLOURS[0] if gap >= 0 else COLOURS[4] for gap in gaps]
    figure.add_bar(orientation="h", x=gaps, y=[row.name for row in rows], marker={"color": colours})
    figure.update_yaxes(type="category", dtick=1)
    return Markup(fragment(figure, "classes"))
