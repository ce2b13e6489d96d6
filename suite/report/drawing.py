"""The ranking of a table as SVG: a picture for papers and slides, without a browser or a renderer."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape

from suite.report.figures import COLOURS
from suite.report.tables import number
from suite.report.views import Row, View

WIDTH, LINE, TOP, BOTTOM, RIGHT = 720, 24, 14, 46, 20
LETTER = 6.6  # about the width of a letter, pixels, at 12 pixels
OTHERS = "#767676"
STEPS = (1, 2, 5)  # a scale goes in such steps, times a power of ten


def ranking_svg(view: View) -> str:
    """Every row's headline in percent: seeds as dots, the mean as a stroke, its 95 % interval as a line.

    Hollow: rows that do not compete. Empty where no row has the headline. The picture names itself for those who hear
    it (``title``, ``desc``), and needs no font but sans-serif.
    """
    if view.headline not in view.columns:
        return ""
    column = view.columns.index(view.headline)
    rows = [row for row in view.rows if row.cells[column].values]
    if not rows:
        return ""
    left = 16 + LETTER * max(len(row.label) for row in rows)
    low, high, ticks = scale([100 * value for row in rows for value in _reach(row, column)])
    height = TOP + LINE * len(rows) + BOTTOM

    def x(value: float) -> str:
        return f"{left + (value - low) / (high - low) * (WIDTH - RIGHT - left):.1f}"

    about = "; ".join(f"{row.label} {number(row.cells[column].summary.mean)}" for row in rows)
    name = f"{view.spec.title}: {view.headline} on {view.dataset}, percent"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="title desc" font-family="sans-serif" font-size="12">',
        f'<title id="title">{escape(name)}</title><desc id="desc">{escape(about)}</desc>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    bottom = TOP + LINE * len(rows)
    for tick in ticks:
        parts.append(f'<line x1="{x(tick)}" x2="{x(tick)}" y1="{TOP}" y2="{bottom}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x(tick)}" y="{bottom + 16}" text-anchor="middle" fill="#444444">{tick:g}</text>')
    for place, row in enumerate(rows):
        y = TOP + LINE * (place + 0.5)
        parts.append(f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{escape(row.label)}</text>')
        parts += _marks(row, column, y, x)
    middle = (left + WIDTH - RIGHT) / 2
    words = f"{view.headline}, % (dots: seeds; lines: 95 % intervals)"
    parts.append(f'<text x="{middle:.1f}" y="{height - 10}" text-anchor="middle" fill="#444444">{escape(words)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _marks(row: Row, column: int, y: float, x: Callable[[float], str]) -> list[str]:
    """The interval, the seeds and the mean of one row."""
    summary = row.cells[column].summary
    colour = COLOURS[0] if row.competes else OTHERS
    fill = colour if row.competes else "none"
    drawn = []
    if math.isfinite(summary.low):
        low, high = (min(max(end, 0.0), 1.0) for end in (summary.low, summary.high))
        ends = f'x1="{x(100 * low)}" x2="{x(100 * high)}"'
        drawn.append(f'<line {ends} y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="1.5"/>')
    drawn += [
        f'<circle cx="{x(100 * value)}" cy="{y:.1f}" r="3.5" fill="{fill}" fill-opacity="0.5" stroke="{colour}"/>'
        for value in row.cells[column].values
    ]
    mean = x(100 * summary.mean)
    drawn.append(
        f'<line x1="{mean}" x2="{mean}" y1="{y - 8:.1f}" y2="{y + 8:.1f}" stroke="{colour}" stroke-width="3"/>'
    )
    return drawn


def _reach(row: Row, column: int) -> list[float]:
    """What of a row must fit: its seeds, and its interval between 0 and 1 (few seeds make very wide ones)."""
    summary = row.cells[column].summary
    ends = [min(max(end, 0.0), 1.0) for end in (summary.low, summary.high) if math.isfinite(end)]
    return [*row.cells[column].values, *ends]


def scale(values: list[float]) -> tuple[float, float, list[float]]:
    """The ends of an axis that holds ``values``, and about five round numbers on it."""
    low, high = min(values), max(values)
    # Values that differ by rounding alone would give an axis without length.
    span = high - low if high - low > 1e-9 * max(1.0, abs(high)) else 1.0
    power = 10 ** math.floor(math.log10(span / 5))
    step = next(s * power for s in (*STEPS, 10) if s * power >= span / 5)
    first, last = math.floor(low / step), math.ceil(high / step)
    last += last == first
    return first * step, last * step, [round(tick * step, 10) for tick in range(first, last + 1)]
