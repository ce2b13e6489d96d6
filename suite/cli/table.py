"""A table as text where nothing in it has to be folded or coloured: the same characters that rich would print.

Importing rich and laying out a long table by it takes as long as the rest of a listing.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence

GAP = "  "  # between columns
COLOURS = ("FORCE_COLOR", "TTY_COMPATIBLE", "JUPYTER_COLUMNS")  # ask rich for more than characters


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str | None:
    """``rows`` below the names of their ``columns``; None where that does not fit or is for rich to lay out."""
    lines = [tuple(columns), *map(tuple, rows)]
    if any(name in os.environ for name in COLOURS) or not all(
        map(_is_simple, {cell for line in lines for cell in line})
    ):
        return None
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if 0 in widths or sum(widths) + len(GAP) * (len(widths) - 1) > width:
        return None
    return "\n".join(GAP.join(cell.ljust(wide) for cell, wide in zip(line, widths, strict=True)) for line in lines)


def _is_simple(cell: str) -> bool:
    """Whether each character of ``cell`` takes one place on its one line."""
    return cell.isprintable() and (
        cell.isascii()
        or all(unicodedata.east_asian_width(c) not in "WF" and unicodedata.category(c)[0] != "M" for c in cell)
    )
