"""What a board hands to papers and slides as pictures: its rankings, quality over cost, average ranks."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from suite.report.across import Across
from suite.report.beside import sides
from suite.report.drawing import LETTER, Dot, Line, Picture, Words, scale
from suite.report.figures import COLOURS, costs, undominated
from suite.report.tables import number
from suite.report.views import Row, View

WIDTH, STEP, TOP, BOTTOM, RIGHT = 720, 24, 14, 46, 20
TALL, LEFT = 380, 64  # of a picture with two axes
OTHERS, GRID, SOFT = "#767676", "#dddddd", "#444444"

Shapes = list[Line | Dot | Words]


def ranking(view: View) -> Picture | None:
    """Every row's headline in percent: seeds as dots, the mean as a stroke, its 95 % interval as a line.

    Hollow: rows that do not compete. None where no row has the headline.
    """
    if view.headline not in view.columns:
        return None
    column = view.columns.index(view.headline)
    rows = [row for row in view.rows if row.cells[column].values]
    if not rows:
        return None
    labels = [row.label for row in rows]
    values = [100 * value for row in rows for value in _reach(row, column)]
    axis = f"{view.headline}, % (dots: seeds; lines: 95 % intervals)"
    shapes, x = _lines(labels, values, axis)
    for place, row in enumerate(rows):
        shapes += _marks(row, column, TOP + STEP * (place + 0.5), x)
    about = "; ".join(f"{row.label} {number(row.cells[column].summary.mean)}" for row in rows)
    return Picture(WIDTH, TOP + STEP * len(rows) + BOTTOM, _title(view, "percent"), about, tuple(shapes))


def _title(view: View, what: str) -> str:
    return f"{view.spec.title}: {view.headline} on {view.dataset}, {what}"


def _lines(labels: list[str], values: list[float], axis: str) -> tuple[Shapes, Callable[[float], float]]:
    """A line of the picture per label above an axis that holds ``values``; and where a value stands on it."""
    left = 16 + LETTER * max(map(len, labels))
    low, high, ticks = scale(values)
    bottom = TOP + STEP * len(labels)

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (WIDTH - RIGHT - left)

    shapes: Shapes = []
    for tick in ticks:
        shapes.append(Line(x(tick), TOP, x(tick), bottom, GRID))
        shapes.append(Words(x(tick), bottom + 16, f"{tick:g}", "middle", SOFT))
    shapes += [Words(left - 8, TOP + STEP * (place + 0.5) + 4, label, "end") for place, label in enumerate(labels)]
    shapes.append(Words((left + WIDTH - RIGHT) / 2, bottom + BOTTOM - 10, axis, "middle", SOFT))
    return shapes, x


def _marks(row: Row, column: int, y: float, x: Callable[[float], float]) -> Shapes:
    """The interval, the seeds and the mean of one row."""
    summary = row.cells[column].summary
    colour = COLOURS[0] if row.competes else OTHERS
    drawn: Shapes = []
    if math.isfinite(summary.low):
        low, high = (100 * min(max(end, 0.0), 1.0) for end in (summary.low, summary.high))
        drawn.append(Line(x(low), y, x(high), y, colour, 1.5))
    drawn += [Dot(x(100 * value), y, 3.5, colour, row.competes) for value in row.cells[column].values]
    mean = x(100 * summary.mean)
    return [*drawn, Line(mean, y - 8, mean, y + 8, colour, 3)]


def _reach(row: Row, column: int) -> list[float]:
    """What of a row must fit: its seeds, and its interval between 0 and 1 (few seeds make very wide ones)."""
    summary = row.cells[column].summary
    ends = [min(max(end, 0.0), 1.0) for end in (summary.low, summary.high) if math.isfinite(end)]
    return [*row.cells[column].values, *ends]


def cost(view: View) -> Picture | None:
    """The headline over the seconds of a run (in powers of ten); a line joins methods that none beats in both."""
    known = costs(view)
    if len(known) < 2:
        return None
    low, high, ticks = scale([value for _, value, _ in known])
    powers = [math.log10(seconds) for seconds, _, _ in known]
    first, last = math.floor(min(powers)), math.ceil(max(powers))
    last += last == first
    bottom, right = TALL - BOTTOM, WIDTH - RIGHT - 60  # labels stand beside their dots

    def at(seconds: float, value: float) -> tuple[float, float]:
        x = LEFT + (math.log10(seconds) - first) / (last - first) * (right - LEFT)
        return x, bottom - (value - low) / (high - low) * (bottom - TOP)

    shapes: Shapes = []
    for power in range(first, last + 1):
        x = at(10.0**power, low)[0]
        shapes += [Line(x, TOP, x, bottom, GRID), Words(x, bottom + 16, f"{10.0**power:g}", "middle", SOFT)]
    for tick in ticks:
        y = at(10.0**first, tick)[1]
        shapes += [Line(LEFT, y, right, y, GRID), Words(LEFT - 8, y + 4, f"{tick:g}", "end", SOFT)]
    front = [at(seconds, value) for seconds, value, _ in undominated(known)]
    shapes += [Line(*start, *end, OTHERS, 1, dashed=True) for start, end in pairwise(front)]
    dots = [at(seconds, value) for seconds, value, _ in known]
    names = [label for _, _, label in known]
    for (x, y), label, side in zip(dots, names, sides(dots, names, WIDTH, TALL - BOTTOM), strict=True):
        shapes += [Dot(x, y, 4.5, COLOURS[0]), _beside(x, y, label, side)]
    axis = f"median seconds per run; up: {view.headline}, %"
    shapes.append(Words((LEFT + right) / 2, TALL - 10, axis, "middle", SOFT))
    about = "; ".join(f"{label} {value:.1f} in {seconds:.3g} s" for seconds, value, label in known)
    return Picture(WIDTH, TALL, _title(view, "percent, over seconds per run"), about, tuple(shapes))


def _beside(x: float, y: float, label: str, side: str) -> Words:
    """A dot's name on a side of it; on the right where none has room."""
    if side in ("top", "bottom"):
        return Words(x, y + (18 if side == "bottom" else -10), label, "middle")
    return Words(x - 8, y + 4, label, "end") if side == "left" else Words(x + 8, y + 4, label)


def ranks(one: Across) -> Picture:
    """Average ranks over datasets; each bar reaches half the critical difference: bars apart are different."""
    half = one.critical / 2
    ends = [end for row in one.rows for end in (row.rank - half, row.rank + half)]
    axis = f"average rank over {len(one.datasets)} datasets (1 is best; bars apart are different)"
    shapes, x = _lines([row.label for row in one.rows], ends, axis)
    for place, row in enumerate(one.rows):
        y = TOP + STEP * (place + 0.5)
        shapes += [Line(x(row.rank - half), y, x(row.rank + half), y, COLOURS[0], 1.5)]
        shapes += [Dot(x(row.rank), y, 4.5, COLOURS[0])]
    about = "; ".join(f"{row.label} {row.rank:.2f}" for row in one.rows)
    height = TOP + STEP * len(one.rows) + BOTTOM
    return Picture(WIDTH, height, f"{one.title}: average ranks by {one.headline}", about, tuple(shapes))
