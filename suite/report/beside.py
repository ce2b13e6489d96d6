"""Where the names of dots in a figure stand, so that none covers another or leaves the figure."""

from __future__ import annotations

from collections.abc import Sequence

from suite.report.drawing import LETTER

LINE, GAP = 16.0, 8.0  # pixels: height of a line, distance of a name from the middle of its dot
Box = tuple[float, float, float, float]  # left, top, right, bottom


def sides(dots: Sequence[tuple[float, float]], names: Sequence[str], width: float, height: float) -> list[str]:
    """For each of the ``dots`` (x, y in pixels, y downwards) the side where its name has room, the first one first.

    ``right``, ``left``, ``top`` or ``bottom``; empty where every side is taken.
    """
    taken = [(x - GAP / 2, y - GAP / 2, x + GAP / 2, y + GAP / 2) for x, y in dots]
    found = []
    for (x, y), name in zip(dots, names, strict=True):
        free = {side: box for side, box in _boxes(x, y, name).items() if _is_free(box, taken, width, height)}
        side = next(iter(free), "")
        found.append(side)
        taken += [free[side]] if side else []
    return found


def _boxes(x: float, y: float, name: str) -> dict[str, Box]:
    """What a name covers on each side of its dot."""
    wide, half = LETTER * len(name), LINE / 2
    return {
        "right": (x + GAP, y - half, x + GAP + wide, y + half),
        "left": (x - GAP - wide, y - half, x - GAP, y + half),
        "top": (x - wide / 2, y - GAP - LINE, x + wide / 2, y - GAP),
        "bottom": (x - wide / 2, y + GAP, x + wide / 2, y + GAP + LINE),
    }


def _is_free(box: Box, taken: Sequence[Box], width: float, height: float) -> bool:
    left, top, right, bottom = box
    inside = left >= 0 and top >= 0 and right <= width and bottom <= height
    return inside and all(right <= o[0] or o[2] <= left or bottom <= o[1] or o[3] <= top for o in taken)
