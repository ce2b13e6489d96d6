"""Annotated segments for scoring files made by others: annotations only, no features.

From a packed dataset's test split, or straight from a published annotation file: ActivityNet's JSON (THUMOS-14 ships in
it, with or without ``database``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from suite.errors import DataError
from suite.evaluate.segments import Segments
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

AMBIGUOUS = "Ambiguous"


@dataclass(frozen=True)
class SegmentTruth:
    """Annotated segments: ``segments.video`` and ``.label`` index ``videos`` and ``classes``.

    ``ambiguous`` are segments of THUMOS's class of that name; ``numbers`` what a class is called where files use
    numbers (by default its place in ``classes``); ``left_out`` names videos that count neither way.
    """

    videos: tuple[str, ...]
    classes: tuple[str, ...]
    segments: Segments
    ambiguous: Segments = field(default_factory=Segments.empty)
    numbers: Mapping[str, int] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()


def truth_from_data(data: TaskData[Videos]) -> SegmentTruth:
    """The test annotations of a loaded dataset."""
    return SegmentTruth(tuple(data.test.ids.tolist()), data.classes, data.test.segments)


def truth_from_file(path: Path, subset: str, fold_case: bool = True) -> SegmentTruth:
    """The segments of ``subset`` that ActivityNet's JSON annotates.

    Raises:
        DataError: no such file, another form, or a subset without videos.
    """
    database = _database(path)
    subsets = {str(entry["subset"]) for entry in database.values() if "subset" in entry}
    chosen = [
        name
        for name, entry in database.items()
        if not subsets or _same(str(entry.get("subset", "")), subset, fold_case)
    ]
    if not chosen:
        raise DataError(
            f"{path} has no videos of the subset '{subset}', only of {', '.join(sorted(subsets))}: name one"
        )
    rows = [
        (place, str(row["label"]), *map(float, row["segment"]), row.get("label_id"))
        for place, name in enumerate(chosen)
        for row in database[name]["annotations"]
    ]
    classes = tuple(sorted({label for _, label, _, _, _ in rows} - {AMBIGUOUS}))
    numbers = {name: place for place, name in enumerate(classes)}
    numbers |= {label: int(number) for _, label, _, _, number in rows if number is not None}
    clear = [(video, classes.index(label), start, end) for video, label, start, end, _ in rows if label != AMBIGUOUS]
    vague = [(video, 0, start, end) for video, label, start, end, _ in rows if label == AMBIGUOUS]
    return SegmentTruth(tuple(chosen), classes, Segments.of_rows(clear), Segments.of_rows(vague), numbers)


def video_names(path: Path, subset: str) -> set[str]:
    """The videos that a list names: one per line, or a csv with a column ``video`` and, where it has one, ``subset``.

    Raises:
        DataError: no such file, or a list that names no video (of the subset).
    """
    if not path.is_file():
        raise DataError(f"there is no video list {path}: give a text file with one name per line, or a csv")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    header = lines[0].split(",") if lines else []
    names = {line.split(",")[0] for line in lines}
    if "video" in header:
        rows = [dict(zip(header, line.split(","))) for line in lines[1:]]
        names = {row["video"] for row in rows if _same(row.get("subset", subset), subset, fold_case=True)}
    if not names:
        raise DataError(f"{path} names no video of the subset '{subset}': give the list of the videos that count")
    return names


def only_videos(truth: SegmentTruth, names: Collection[str]) -> SegmentTruth:
    """The truth of the named videos alone, the others left out; classes that then have no segment stay known."""
    kept = [place for place, name in enumerate(truth.videos) if name in names]
    place = np.full(len(truth.videos), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))

    def renumbered(segments: Segments) -> Segments:
        rows = segments.take(place[segments.video] >= 0)
        return replace(rows, video=place[rows.video])

    videos = tuple(truth.videos[number] for number in kept)
    left_out = truth.left_out | (set(truth.videos) - set(videos))
    segments, ambiguous = renumbered(truth.segments), renumbered(truth.ambiguous)
    return replace(truth, videos=videos, segments=segments, ambiguous=ambiguous, left_out=left_out)


def _database(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        database = content.get("database", content)
        for entry in database.values():
            for row in entry["annotations"]:
                start, end = row["segment"]
                float(start), float(end), row["label"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is no annotation file ({type(error).__name__}: {error}): get it again") from None
    found: Mapping[str, Any] = database
    return found


def _same(one: str, other: str, fold_case: bool) -> bool:
    return one.lower() == other.lower() if fold_case else one == other
