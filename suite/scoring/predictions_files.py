"""Predictions in the forms in which others publish them, read as they stand: names and numbers, nothing resolved.

Forms, told apart by suffix and content: ActivityNet JSON (``results``: video to a list of segment, label, score),
ActionFormer JSON (``database``: video to a list of segment, label_id, scores; or the columns video-id, t-start, t-end,
label, score), THUMOS text (video, start, end, class id, score, separated by blanks), AVA csv (video, second, x1, y1,
x2, y2, action id, score, separated by commas or tabs), and the ledger's Parquet (item, label, start, end, score; or
item, scores).
Numbers may be NaN: what is wrong with them is counted when the rows are joined with the truth.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

THUMOS_CLASSES = {
    7: "BaseballPitch", 9: "BasketballDunk", 12: "Billiards", 21: "CleanAndJerk", 22: "CliffDiving",
    23: "CricketBowling", 24: "CricketShot", 26: "Diving", 31: "FrisbeeCatch", 33: "GolfSwing", 36: "HammerThrow",
    40: "HighJump", 45: "JavelinThrow", 51: "LongJump", 68: "PoleVault", 79: "Shotput", 85: "SoccerPenalty",
    92: "TennisSwing", 93: "ThrowDiscus", 97: "VolleyballSpiking",
}  # fmt: skip
"""The 20 detection classes of THUMOS-14 by their number among its 101."""


@dataclass(frozen=True)
class SegmentRows:
    """N scored segments: ``video`` and ``label`` are names (a number as its text), times in seconds."""

    form: str
    video: tuple[str, ...]
    label: tuple[str, ...]
    start: np.ndarray
    end: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class BoxRows:
    """N scored (box, label) pairs: ``second`` (N,) key-frame time, ``box`` (N, 4) x1 y1 x2 y2."""

    form: str
    video: tuple[str, ...]
    second: np.ndarray
    label: tuple[str, ...]
    box: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class ScoreRows:
    """All class scores of each item, as the ledger keeps those of clips and people."""

    form: str
    table: pa.Table


Rows = SegmentRows | BoxRows | ScoreRows


def read_predictions(path: Path) -> Rows:
    """Read ``path`` in whichever form it is.

    Raises:
        DataError: no such file, a form that is not known, or a malformed row, with its place.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}: give the path of a prediction file")
    if path.suffix == ".parquet":
        return _parquet(path)
    if path.suffix == ".json":
        return _json(path)
    return _text(path)


def _json(path: Path) -> SegmentRows:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}): write it again") from None
    if isinstance(content, Mapping) and isinstance(content.get("results"), Mapping):
        return _by_video(path, "ActivityNet JSON", content["results"], ("label",), ("score",))
    if isinstance(content, Mapping) and isinstance(content.get("database"), Mapping):
        return _by_video(path, "ActionFormer JSON", content["database"], ("label_id", "label"), ("scores", "score"))
    if isinstance(content, Mapping) and "video-id" in content:
        return _by_column(path, content)
    raise DataError(f"{path} has neither 'results', 'database' nor 'video-id': write one of the known JSON forms")


def _by_video(
    path: Path, form: str, videos: Mapping[str, Any], label_keys: Sequence[str], score_keys: Sequence[str]
) -> SegmentRows:
    rows = []
    for video, found in videos.items():
        if not isinstance(found, list):
            raise DataError(f"{path}, video {video}: not a list of detections: write one, empty where there is none")
        for place, row in enumerate(found):
            try:
                start, end = row["segment"]
                label = next(row[key] for key in label_keys if key in row)
                score = next(row[key] for key in score_keys if key in row)
                rows.append((video, label, _number(start), _number(end), _number(score)))
            except (KeyError, StopIteration, TypeError, ValueError):
                wanted = f"segment [start, end], {label_keys[0]} and {score_keys[0]}"
                raise DataError(f"{path}, video {video}, detection {place}: needs {wanted}") from None
    return _segments(form, rows)


def _by_column(path: Path, content: Mapping[str, Any]) -> SegmentRows:
    names = ("video-id", "label", "t-start", "t-end", "score")
    missing = [name for name in names if name not in content]
    if missing or len({len(content[name]) for name in names}) > 1:
        raise DataError(f"{path} needs the columns {', '.join(names)}, all of one length: write it again")
    columns = [content[name] for name in names]
    try:
        rows = [(video, label, *map(_number, numbers)) for video, label, *numbers in zip(*columns)]
    except (TypeError, ValueError):
        raise DataError(f"{path}: a time or score is not a number: write numbers there") from None
    return _segments("ActionFormer columns", rows)


def _text(path: Path) -> SegmentRows | BoxRows:
    """AVA csv or THUMOS text, by the number of fields in the first row."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [(number, _fields(line)) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise DataError(f"{path} is empty: give a file with one prediction a line")
    width = len(rows[0][1])
    if width not in (5, 8):
        wanted = "5 fields (THUMOS: video start end class score) or 8 (AVA: video second x1 y1 x2 y2 action score)"
        raise DataError(f"{path}, line 1: {width} fields where a row has {wanted}")
    for number, row in rows:
        if len(row) != width or not all(map(_is_number, row[1:])):
            raise DataError(f"{path}, line {number}: not the {width} fields of the first line, a name and numbers")
    if width == 5:
        return _segments("THUMOS text", [_thumos(row) for _, row in rows])
    numbers = np.array([[float(field) for field in row[1:]] for _, row in rows])
    return BoxRows(
        "AVA csv",
        tuple(row[0] for _, row in rows),
        numbers[:, 0],
        tuple(_label(row[6]) for _, row in rows),
        numbers[:, 1:5],
        numbers[:, 6],
    )


def _thumos(row: Sequence[str]) -> tuple[str, str, float, float, float]:
    number = int(float(row[3])) if float(row[3]).is_integer() else -1
    name = THUMOS_CLASSES.get(number, f"THUMOS class {row[3]}")
    return row[0].removesuffix(".mp4").removesuffix(".mpeg"), name, float(row[1]), float(row[2]), float(row[4])


def _fields(line: str) -> list[str]:
    parts = line.split(",") if "," in line else line.split()
    return [part.strip() for part in parts]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parquet(path: Path) -> SegmentRows | ScoreRows:
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
    if {"item", "label", "start", "end", "score"} <= set(table.column_names) and not _has_scores(table):
        names = ("item", "label", "start", "end", "score")
        return _segments("Parquet", list(zip(*(_filled(table[name].to_pylist()) for name in names))))
    if {"item", "scores"} <= set(table.column_names):
        return ScoreRows("Parquet", table)
    raise DataError(f"{path} needs the columns item, label, start, end and score, or item and scores")


def _has_scores(table: pa.Table) -> bool:
    return "scores" in table.column_names and table["scores"].null_count < len(table)


def _filled(values: Iterable[Any]) -> list[Any]:
    return [float("nan") if value is None else value for value in values]


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _label(value: Any) -> str:
    """A class as text: a whole number without its decimals."""
    text = str(value)
    return text[:-2] if text.endswith(".0") and text[:-2].lstrip("-").isdigit() else text


def _segments(form: str, rows: Sequence[Sequence[Any]]) -> SegmentRows:
    video, label, start, end, score = zip(*rows) if rows else ((), (), (), (), ())
    times = (np.array(column, dtype=np.float64) for column in (start, end, score))
    return SegmentRows(form, tuple(map(str, video)), tuple(map(_label, label)), *times)
