"""A file of predictions as it stands: JSON, a table of text, or Parquet, before anybody knows whose form it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.errors import DataError
from suite.tasks.scoring.lines import Lines
from suite.tasks.scoring.report import Oddity
from suite.tasks.scoring.text import read_json, read_text

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Contents:
    """A file, parsed once: one of ``json``, ``lines`` and ``table`` is set.

    A folder of files has none of them, and ``folder`` is set.

    ``oddities`` are what is odd about the file itself, whatever it holds.
    """

    path: Path
    json: Any = None
    lines: Lines | None = None
    table: pa.Table | None = None
    oddities: Sequence[Oddity] = ()
    folder: bool = False

    @property
    def header(self) -> list[str]:
        """The names of the columns of a csv whose first is ``id``; empty for text without such a line."""
        first = self.first
        return first if first[:1] == ["id"] else []

    @property
    def first(self) -> list[str]:
        """The fields of the first line of a text; empty for other files."""
        return self.lines.first if self.lines else []

    def has_columns(self, *names: str) -> bool:
        """Whether it is a table with these columns."""
        return self.table is not None and set(names) <= set(self.table.column_names)


def open_contents(path: Path) -> Contents:
    """Parse ``path`` by its suffix.

    Raises:
        DataError: no such file, or one that is damaged or empty.
    """
    if path.is_dir():
        return Contents(path, folder=True)
    if not path.is_file():
        raise DataError(f"there is no file {path}: give the path of a prediction file")
    if path.suffix == ".parquet":
        return Contents(path, table=_parquet(path))
    if path.suffix == ".json":
        content, oddities = read_json(path)
        return Contents(path, json=content, oddities=oddities)
    text, oddities = read_text(path)
    lines = Lines(path, text)
    if not lines.first:
        raise DataError(f"{path} is empty: give a file with one prediction per line")
    return Contents(path, lines=lines, oddities=oddities)


def label_text(value: Any) -> str:
    """A class as text: a whole number without its decimals."""
    text = str(value)
    return text[:-2] if text.endswith(".0") and text[:-2].lstrip("-").isdigit() else text


def label_texts(values: Sequence[Any]) -> tuple[str, ...]:
    """:func:`label_text` of each."""
    if set(map(type, values)) <= {str}:  # 1, 1.0 and True are one key of a dictionary and three labels
        known = {value: label_text(value) for value in set(values)}
        return tuple(map(known.__getitem__, values))
    return tuple(map(label_text, values))


def _parquet(path: Path) -> pa.Table:
    """The table; of the ledger's, what validation chose on the test split."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from pyarrow import ArrowInvalid

    try:
        table = pq.read_table(path)
    except (ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not a whole Parquet file ({str(error).splitlines()[0]}): write it again") from None
    for column, wanted in (("split", "test"), ("selection", "validation")):
        if column in table.column_names and wanted in table[column].unique().to_pylist():
            table = table.filter(pc.field(column) == wanted)
    for column in ("run", "attempt", "selection", "split"):
        if column in table.column_names and len(values := table[column].unique()) > 1:
            raise DataError(
                f"{path} holds {len(values)} values of '{column}': keep the rows of one before scoring them"
            )
    return table
