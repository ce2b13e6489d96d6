"""Text with one row per line, its fields separated by commas or blanks: plain rows all at once, odd ones one by one."""

from __future__ import annotations

import io
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from suite.errors import DataError

if TYPE_CHECKING:
    import polars as pl

    from suite.evaluate.segments import Floats

_ODD = '"\r\t\v\f\x1c\x1d\x1e'  # quotes that belong to a field, and what ends a line or parts fields besides the usual
_WRITTEN = re.compile(r"\S.*")


class Lines:
    """The rows of a text. Blank lines count as none; fields have no blanks around them.

    Millions of rows are read by Polars where each is written as most are. Wherever a line may be read otherwise than
    by the rule (a line with a comma is parted at commas, another at blanks), all are read line by line.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text

    @cached_property
    def first(self) -> list[str]:
        """The fields of the first row; empty where there is none."""
        found = _WRITTEN.search(self.text)
        return _fields(found[0].splitlines()[0]) if found else []

    @cached_property
    def rows(self) -> tuple[tuple[int, list[str]], ...]:
        """Number of the line, from 1, and fields of each row."""
        lines = enumerate(self.text.splitlines(), start=1)
        return tuple((number, _fields(line)) for number, line in lines if line.strip())

    def column(self, place: int, skip: int = 0) -> tuple[str, ...]:
        """The field at ``place`` of all rows but the first ``skip``; each has one (ask :meth:`numbers` before)."""
        if self._plain is None:
            return tuple(row[place] for _, row in self.rows[skip:])
        values, known = self._plain.to_series(place)[skip:].to_list(), dict[str, str]()
        return tuple(map(known.setdefault, values, values))  # equal names are one object: they are few

    def numbers(self, skip: int = 0) -> Floats:
        """(N, W - 1) all fields but the first, of all rows but the first ``skip``.

        Raises :class:`DataError` naming the line where one is missing or is not a number.
        """
        import polars as pl

        if self._plain is not None:
            found = self._plain[skip:, 1:].cast(pl.Float64, strict=False)
            if not any(found.null_count().row(0)):
                return found.to_numpy()
        width = len(self.first)
        rows = [self._numbers(number, row, width) for number, row in self.rows[skip:]]
        return np.array(rows, dtype=np.float64).reshape(len(rows), width - 1)

    def _numbers(self, number: int, row: list[str], width: int) -> list[float]:
        try:
            found = [float(field) for field in row[1:]]
        except ValueError:
            found = []
        if len(found) != width - 1:
            raise DataError(f"{self.path}, line {number}: not the {width} fields of the first line, a name and numbers")
        return found

    @cached_property
    def _plain(self) -> pl.DataFrame | None:
        """All rows as columns of text where each is plain, else None."""
        import polars as pl

        separator = "," if len(self.first) > 1 and "," in self.text else " "
        if not self.text.isascii() or any(sign in self.text for sign in _ODD):
            return None
        try:
            found = pl.read_csv(
                io.BytesIO(self.text.encode()),
                has_header=False,
                separator=separator,
                quote_char=None,
                infer_schema=False,
            )
        except pl.exceptions.PolarsError:  # a row is longer than the first, or there is none
            return None
        if found.width != len(self.first) or any(found.null_count().row(0)):
            return None
        return found.select(pl.all().str.strip_chars(" "))


def _fields(line: str) -> list[str]:
    parts = line.split(",") if "," in line else line.split()
    return [part.strip() for part in parts]
