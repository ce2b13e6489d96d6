"""What the ledger's tables hold, column by column, and the version of that schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import pyarrow as pa

from suite.errors import SuiteError, redacted

SCHEMA_VERSION = 3  # older ledgers are read as they are, and upgraded by the next append
# Columns that tables of older schemas lack (1: both, 2: the last), and what they hold in their rows.
ADDED: dict[str, dict[str, str | None]] = {"runs": {"carried": "", "memory": None}}

_OWNER = [("run", pa.string()), ("attempt", pa.string())]
_SCORED = [("split", pa.string()), ("selection", pa.string())]

TABLES: dict[str, pa.Schema] = {
    "runs": pa.schema(
        [
            *_OWNER,
            ("method", pa.string()),
            ("title", pa.string()),
            ("task", pa.string()),
            ("dataset", pa.string()),  # with the dials that are not default: "hapt[labelled=0.1]"
            ("protocol", pa.string()),
            ("seed", pa.int64()),
            ("params", pa.string()),  # JSON
            ("epochs", pa.int64()),  # null: the method's own budget
            ("status", pa.string()),  # finished | failed | pruned (stopped early by a sweep)
            ("error", pa.string()),
            ("started", pa.timestamp("us", "UTC")),
            ("seconds", pa.float64()),
            ("hardware", pa.string()),  # JSON
            ("versions", pa.string()),  # JSON
            ("commit", pa.string()),
            ("code", pa.string()),  # fingerprint of the sources that compute
            ("fingerprint", pa.string()),  # of the dataset
            ("group", pa.string()),  # the sweep or board that asked, or ""
            ("carried", pa.string()),  # how it was carried out: solo | packed | workers:N, or "" (schema 1: unknown)
            ("schema", pa.int64()),
            ("memory", pa.float64()),  # GiB, the most held where it trained, or null (unknown)
        ]
    ),
    "metrics": pa.schema(
        [
            *_OWNER,
            *_SCORED,
            ("metric", pa.string()),
            ("label", pa.string()),  # class name of a per-class row, or ""
            ("threshold", pa.float64()),  # null: no threshold, or an average over thresholds
            ("value", pa.float64()),
        ]
    ),
    "curves": pa.schema(
        [
            *_OWNER,
            ("phase", pa.string()),
            ("epoch", pa.int64()),
            ("step", pa.int64()),
            ("split", pa.string()),
            ("metric", pa.string()),
            ("value", pa.float64()),
        ]
    ),
    "predictions": pa.schema(
        [
            *_OWNER,
            *_SCORED,
            ("item", pa.string()),
            ("label", pa.int32()),
            ("score", pa.float64()),
            ("start", pa.float64()),  # seconds
            ("end", pa.float64()),  # seconds
            ("scores", pa.list_(pa.float32())),  # one per class
        ]
    ),
}

_NEEDED: dict[str, set[str]] = {
    "runs": {"method", "task", "dataset", "protocol", "seed", "params", "status", "started", "seconds"},
    "metrics": {"split", "selection", "metric", "value"},
    "curves": {"split", "metric", "value"},
    "predictions": {"split", "selection", "item"},
}
_TEXT = ("title", "error", "hardware", "versions", "commit", "code", "fingerprint", "group", "carried")
_BLANKS: dict[str, dict[str, Any]] = {  # columns that are filled in rather than null
    "runs": {**dict.fromkeys(_TEXT, ""), "schema": SCHEMA_VERSION},
    "metrics": {"label": ""},
    "curves": {"phase": ""},
    "predictions": {},
}

Rows: TypeAlias = pa.Table | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """What a run leaves behind: its row and its long tables; recording fills in ``run`` and ``attempt``."""

    run: Mapping[str, Any]
    metrics: Rows = ()
    curves: Rows = ()
    predictions: Rows = ()
    extra: Mapping[str, Any] = field(default_factory=dict)  # not recorded: where checkpoints are, ...

    @property
    def id(self) -> str:
        """The run id."""
        return str(self.run["run"])

    def failed(self, error: str) -> Outcome:
        """The same run as a failure: a row with its error in one line, and no numbers."""
        row = {**self.run, "status": "failed", "error": redacted(" ".join(error.split()))}
        return replace(self, run=row, metrics=(), curves=(), predictions=())


def to_table(name: str, rows: Rows, run: str, attempt: str) -> pa.Table:
    """``rows`` as the ledger table ``name``, owned by ``run`` and ``attempt``.

    Raises :class:`SuiteError` for a column that the table does not have, or a needed one that is missing.
    """
    schema = TABLES[name]
    given = rows.column_names if isinstance(rows, pa.Table) else sorted({key for row in rows for key in row})
    unknown = [column for column in given if column not in schema.names]
    needed = _NEEDED[name] - set(given) if len(rows) else set()
    if unknown or needed:
        wrong = f"has no column '{unknown[0]}'" if unknown else f"needs the column '{min(needed)}'"
        raise SuiteError(f"the ledger's table {name} {wrong} (run {run}); columns: {', '.join(schema.names)}.")
    blanks = _BLANKS[name]
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist([{**blanks, **row} for row in rows], schema)
    owner = {"run": run, "attempt": attempt}
    columns = [_column(table, field, owner.get(field.name, blanks.get(field.name))) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _column(table: pa.Table, field: pa.Field, fill: Any) -> pa.Array | pa.ChunkedArray:
    if field.name in ("run", "attempt") or field.name not in table.column_names:
        return pa.array([fill] * len(table), field.type)
    return table.column(field.name).cast(field.type)
