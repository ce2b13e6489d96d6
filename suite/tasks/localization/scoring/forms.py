"""Scored segments in the forms in which others publish them, read as they stand: names and numbers, nothing resolved.

Forms, distinguished by content: ActivityNet JSON (``results``: video to a list of segment, label, score), ActionFormer
JSON (``database``: video to a list of segment, label_id, scores; or columns video-id, t-start, t-end, label, score, in
JSON or in its pickle of arrays),
THUMOS text (video, start, end, class id, score, separated by blanks), and the ledger's Parquet (item, label, start,
end, score). Numbers may be NaN: what is wrong with them is counted when the rows are joined with the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import DataError
from suite.tasks.scoring.contents import Contents, label_texts
from suite.tasks.scoring.lines import Lines
from suite.tasks.scoring.tables import names, need_columns, numbers
from suite.tasks.scoring.text import as_number, as_numbers, uncollected

if TYPE_CHECKING:
    import pyarrow as pa

THUMOS_CLASSES = {
    7: "BaseballPitch", 9: "BasketballDunk", 12: "Billiards", 21: "CleanAndJerk", 22: "CliffDiving",
    23: "CricketBowling", 24: "CricketShot", 26: "Diving", 31: "FrisbeeCatch", 33: "GolfSwing", 36: "HammerThrow",
    40: "HighJump", 45: "JavelinThrow", 51: "LongJump", 68: "PoleVault", 79: "Shotput", 85: "SoccerPenalty",
    92: "TennisSwing", 93: "ThrowDiscus", 97: "VolleyballSpiking",
}  # fmt: skip
"""The 20 detection classes of THUMOS-14 by their number among its 101."""


COLUMNS = ("item", "label", "start", "end", "score")
"""What the ledger's form of a segment has."""


Columns = tuple[Sequence[Any], Sequence[Any], np.ndarray, np.ndarray, np.ndarray]  # video, label, start, end, score


@dataclass(frozen=True)
class SegmentRows:
    """N scored segments: ``video`` and ``label`` are names (a number as its text), times in seconds."""

    form: str
    video: tuple[str, ...]
    label: tuple[str, ...]
    start: np.ndarray
    end: np.ndarray
    score: np.ndarray


def read_segments(contents: Contents) -> SegmentRows | None:
    """The segments of a file, or None where it is in none of these forms; :class:`DataError` for a malformed row."""
    if isinstance(contents.json, Mapping):
        return _json(contents.path, contents.json)
    if contents.lines is not None and len(contents.first) == 5 and not contents.header:
        return _thumos(contents.lines)
    if contents.table is None or not {"start", "end"} & set(contents.table.column_names) or _has_scores(contents.table):
        return None
    need_columns(contents.path, contents.table, COLUMNS, "scored segments")
    return _parquet(contents.path, contents.table)


def _json(path: Path, content: Mapping[str, Any]) -> SegmentRows | None:
    if isinstance(content.get("results"), Mapping):
        return _by_video(path, "ActivityNet JSON", content["results"], ("label",), ("score",))
    if isinstance(content.get("database"), Mapping):
        return _by_video(path, "ActionFormer JSON", content["database"], ("label_id", "label"), ("scores", "score"))
    return _by_column(path, content) if "video-id" in content else None


def _by_video(
    path: Path, form: str, videos: Mapping[str, Any], label_keys: Sequence[str], score_keys: Sequence[str]
) -> SegmentRows:
    with uncollected():
        columns = _at_once(videos, label_keys, score_keys) or _one_by_one(path, videos, label_keys, score_keys)
        return _segments(form, *columns)


def _at_once(videos: Mapping[str, Any], label_keys: Sequence[str], score_keys: Sequence[str]) -> Columns | None:
    """The columns of detections that are written as most are; None where one of them is odd in any way."""
    if not all(isinstance(rows, list) for rows in videos.values()):
        return None
    found = [row for rows in videos.values() for row in rows]
    names = [video for video, rows in videos.items() for _ in rows]
    (label, other_label), (score, other_score) = ((keys[0], keys[-1]) for keys in (label_keys, score_keys))
    try:
        pairs = [row["segment"] for row in found]
        labels = [row[label if label in row else other_label] for row in found]
        scores = as_numbers([row[score if score in row else other_score] for row in found])
        return names, labels, as_numbers([start for start, _ in pairs]), as_numbers([end for _, end in pairs]), scores
    except (KeyError, TypeError, ValueError):
        return None


def _one_by_one(path: Path, videos: Mapping[str, Any], label_keys: Sequence[str], score_keys: Sequence[str]) -> Columns:
    """The columns of all detections; :class:`DataError` for the first that cannot be read."""
    rows = []
    for video, found in videos.items():
        if not isinstance(found, list):
            raise DataError(f"{path}, video {video}: not a list of detections: write one, empty where there is none")
        for place, row in enumerate(found):
            try:
                start, end = row["segment"]
                label = next(row[key] for key in label_keys if key in row)
                score = next(row[key] for key in score_keys if key in row)
                rows.append((video, label, as_number(start), as_number(end), as_number(score)))
            except (KeyError, StopIteration, TypeError, ValueError):
                wanted = f"segment [start, end], {label_keys[0]} and {score_keys[0]}"
                raise DataError(f"{path}, video {video}, detection {place}: needs {wanted}") from None
    return _transposed(rows)


def _by_column(path: Path, content: Mapping[str, Any]) -> SegmentRows:
    needed = ("video-id", "label", "t-start", "t-end", "score")
    columns = [content.get(name) for name in needed]
    columns = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns]
    lists = [column for column in columns if isinstance(column, list)]
    if len(lists) < len(needed) or len({len(column) for column in lists}) > 1:
        raise DataError(f"{path} needs the columns {', '.join(needed)}, all of one length: write it again")
    video, label, *times = lists
    try:
        return _segments("ActionFormer columns", video, label, *map(as_numbers, times))
    except (TypeError, ValueError):
        raise DataError(f"{path}: a time or score is not a number: write numbers there") from None


def _parquet(path: Path, table: pa.Table) -> SegmentRows:
    video, label = (names(path, table, name) for name in COLUMNS[:2])
    times = (numbers(path, table, name) for name in COLUMNS[2:])
    return _segments("Parquet", video, label, *times)


def _thumos(lines: Lines) -> SegmentRows:
    """Rows of video, start, end, number of the class, score."""
    start, end, number, score = lines.numbers().T
    files = lines.column(0)
    video = {file: file.removesuffix(".mp4").removesuffix(".mpeg") for file in set(files)}
    numbers, of_row = np.unique(number, return_inverse=True)
    label = list(map(_thumos_class, numbers.tolist()))
    return _segments("THUMOS text", [video[file] for file in files], [label[one] for one in of_row], start, end, score)


def _thumos_class(number: float) -> str:
    known = THUMOS_CLASSES.get(int(number)) if number.is_integer() else None
    return known or f"THUMOS class {number:g}"


def _has_scores(table: pa.Table) -> bool:
    return "scores" in table.column_names and table["scores"].null_count < len(table)


def _transposed(rows: Sequence[Sequence[Any]]) -> Columns:
    video, label, start, end, score = zip(*rows) if rows else ((), (), (), (), ())
    begin, stop, rank = (np.array(column, dtype=np.float64) for column in (start, end, score))
    return video, label, begin, stop, rank


def _segments(
    form: str, video: Sequence[Any], label: Sequence[Any], start: np.ndarray, end: np.ndarray, score: np.ndarray
) -> SegmentRows:
    return SegmentRows(form, tuple(map(str, video)), label_texts(label), start, end, score)
