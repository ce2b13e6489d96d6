"""Columns of a Parquet table of others: present, numbers where numbers belong, one list per item."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from suite.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def need_columns(path: Path, table: pa.Table, names: Iterable[str], what: str) -> None:
    """Raise :class:`DataError` naming the columns that ``what`` has and the table lacks."""
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise DataError(f"{path} lacks the columns {', '.join(missing)} of {what}: write them, too")


def numbers(path: Path, table: pa.Table, name: str) -> np.ndarray:
    """(N,) a column of numbers, NaN for null; :class:`DataError` for one of text, lists or anything else."""
    import pyarrow as pa

    column = table[name]
    if not _numeric(column.type):
        raise DataError(f"{path}: column '{name}' holds {column.type}, not numbers: write numbers there")
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    return np.array([float("nan") if value is None else float(value) for value in column.to_pylist()])


def names(path: Path, table: pa.Table, name: str) -> list[str | int | float]:
    """A column of names or numbers; :class:`DataError` for lists, and for rows without one."""
    import pyarrow.types as types

    column = table[name]
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if not (types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or _numeric(kind)):
        raise DataError(f"{path}: column '{name}' holds {column.type}, not names: write text or numbers there")
    if column.null_count:
        raise DataError(f"{path}: column '{name}' has {column.null_count} empty cells: name every row")
    found: list[str | int | float] = column.to_pylist()
    return found


def number_lists(path: Path, table: pa.Table, name: str, width: int) -> np.ndarray:
    """(N, width) a column of lists of numbers, NaN for null; :class:`DataError` for other lengths or contents."""
    import pyarrow.types as types

    kind = table[name].type
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)) or not _numeric(
        kind.value_type
    ):
        raise DataError(f"{path}: column '{name}' holds {kind}, not lists of numbers: write one list per row")
    rows = table[name].to_pylist()
    wrong = next((place for place, row in enumerate(rows) if row is None or len(row) != width), None)
    if wrong is not None:
        found = "no list" if rows[wrong] is None else f"{len(rows[wrong])} numbers"
        raise DataError(f"{path}: row {wrong} of '{name}' has {found} for {width} classes: write one for each class")
    filled = [[float("nan") if value is None else value for value in row] for row in rows]
    return np.array(filled, dtype=np.float64).reshape(len(rows), width)


def _numeric(kind: pa.DataType) -> bool:
    import pyarrow.types as types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind))
