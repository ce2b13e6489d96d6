"""Annotated segments from published annotation files: ActivityNet's JSON (THUMOS-14 is published in it, with or without
``database``), and lists of videos with their subsets.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from suite.errors import DataError
from suite.evaluate.segments import Segments
from suite.tasks.localization.scoring.truth import SegmentTruth, only_videos
from suite.tasks.scoring.files import Choice
from suite.tasks.scoring.report import Oddity
from suite.tasks.scoring.text import read_json, read_text

AMBIGUOUS = "Ambiguous"
TEST = ("test",)

Row = tuple[str, float, float, int | None]  # label, start, end, number of the label


def truth_from_file(path: Path, choice: Choice, own: Sequence[str] = TEST, lists: Path | None = None) -> SegmentTruth:
    """The segments that ActivityNet's JSON annotates for the chosen videos.

    ``own`` are the subsets that count where ``choice`` names none. Subsets stand in the annotation; where they do not,
    in the csv ``lists``, or in the list of the ``choice``. A file that nowhere states subsets counts as a whole.

    Raises:
        DataError: no such file, another form, a number that is not one, or a subset without videos.
    """
    database, oddities = _database(path)
    subsets = {name: str(entry["subset"]) for name, entry in database.items() if "subset" in entry}
    listed = lists or choice.listed
    if not subsets and listed is not None:
        subsets = {name: subset for name, subset in _listed(listed).items() if subset and name in database}
    chosen = _chosen(path, list(database), subsets, choice.subset, own)
    annotated = {name: _rows(path, name, database[name]) for name in chosen}
    seconds = {name: seconds for name in chosen if (seconds := _seconds(database[name]))}
    elsewhere = frozenset(database) - frozenset(chosen)
    truth = _truth(annotated, seconds, elsewhere, [*oddities, *_reversed(annotated)])
    truth = with_ambiguous(only_listed(truth, choice), choice.ambiguous)
    if not len(truth.segments):
        raise DataError(f"{path} annotates no segment of the videos that count: choose others, or another file")
    return truth


def with_ambiguous(truth: SegmentTruth, path: Path | None) -> SegmentTruth:
    """The truth with the ambiguous segments of a file: THUMOS's ``Ambiguous_test.txt`` (video, start, end), or JSON
    that annotates the class ``Ambiguous``. :class:`DataError` where none lies in a video that counts.
    """
    if path is None:
        return truth
    place = {name: number for number, name in enumerate(truth.videos)}
    named = [(video, start, end) for video, start, end in _ambiguous(path) if video in place]
    if not named:
        raise DataError(f"{path} names no ambiguous segment of the videos that count: give THUMOS's Ambiguous_test.txt")
    more = Segments.of_rows((place[video], 0, start, end) for video, start, end in named)
    return replace(truth, ambiguous=Segments.concatenate([truth.ambiguous, more]))


def _ambiguous(path: Path) -> list[tuple[str, float, float]]:
    if not path.is_file():
        raise DataError(f"there is no file {path}: give THUMOS's Ambiguous_test.txt, or JSON with the class Ambiguous")
    if path.suffix == ".json":
        database, _ = _database(path)
        rows = [(name, row) for name, entry in database.items() for row in _rows(path, name, entry)]
        return [(name, start, end) for name, (label, start, end, _) in rows if label == AMBIGUOUS]
    found = []
    for number, line in enumerate(read_text(path)[0].splitlines(), start=1):
        try:
            if line.strip():
                video, start, end = line.split()
                found.append((video, float(start), float(end)))
        except ValueError:
            raise DataError(f"{path}, line {number}: not video, start, end; give THUMOS's Ambiguous_test.txt") from None
    return found


def only_listed(truth: SegmentTruth, choice: Choice) -> SegmentTruth:
    """The truth of those videos alone that the list of the choice names; :class:`DataError` where it names none."""
    if choice.listed is None:
        return truth
    return only_videos(truth, video_names(choice.listed, choice.subset))


def video_names(path: Path, subset: str = "") -> set[str]:
    """The videos that a list names: one per line, or a csv with a column ``video`` and, where it has one, ``subset``.

    Raises:
        DataError: no such file, or a list that names no video (of the ``subset``, if one is given).
    """
    names = {name for name, of in _listed(path).items() if not (subset and of) or of.lower() == subset.lower()}
    if not names:
        of = f" of the subset '{subset}'" if subset else ""
        raise DataError(f"{path} names no video{of}: give the list of the videos that count")
    return names


def _listed(path: Path) -> dict[str, str]:
    """Every video of a list with its subset, empty where the list states none."""
    if not path.is_file():
        raise DataError(f"there is no video list {path}: give a text file with one name per line, or a csv")
    lines = [line.strip() for line in read_text(path)[0].splitlines() if line.strip()]
    rows = list(csv.reader(lines))
    header = rows[0] if rows else []
    if "video" not in header:
        return {row[0]: "" for row in rows}
    named = [dict(zip(header, row)) for row in rows[1:]]
    return {row["video"]: row.get("subset", "") for row in named if "video" in row}


def _chosen(path: Path, names: Sequence[str], subsets: Mapping[str, str], subset: str, own: Sequence[str]) -> list[str]:
    if not subsets:
        if subset:
            raise DataError(
                f"{path} states no subsets, so '{subset}' is unknown: leave --subset out, or give --videos with a csv "
                "that has the columns video and subset"
            )
        return list(names)
    wanted = {one.lower() for one in ([subset] if subset else own)}
    chosen = [name for name in names if subsets.get(name, "").lower() in wanted]
    if not chosen:
        asked, there = "' or '".join([subset] if subset else own), ", ".join(sorted(set(subsets.values())))
        raise DataError(f"{path} has no videos of the subset '{asked}', only of {there}: name one with --subset")
    return chosen


def _truth(
    annotated: Mapping[str, Sequence[Row]],
    seconds: Mapping[str, float],
    elsewhere: frozenset[str],
    oddities: Sequence[Oddity],
) -> SegmentTruth:
    rows = [(video, *row) for video, found in enumerate(annotated.values()) for row in found]
    classes = tuple(sorted({label for _, label, _, _, _ in rows} - {AMBIGUOUS}))
    place = {name: number for number, name in enumerate(classes)}
    numbers = place | {label: number for _, label, _, _, number in rows if number is not None}
    clear = [(video, place[label], start, end) for video, label, start, end, _ in rows if label != AMBIGUOUS]
    vague = [(video, 0, start, end) for video, label, start, end, _ in rows if label == AMBIGUOUS]
    return SegmentTruth(
        tuple(annotated),
        classes,
        Segments.of_rows(clear),
        Segments.of_rows(vague),
        numbers,
        elsewhere=elsewhere,
        seconds=seconds,
        oddities=oddities,
    )


def _reversed(annotated: Mapping[str, Sequence[Row]]) -> list[Oddity]:
    wrong = [f"{name} [{a:g}, {b:g}]" for name, rows in annotated.items() for _, a, b, _ in rows if b < a]
    problem = "annotated segment that ends before it starts"
    return [Oddity(problem, len(wrong), "counted as missed", wrong[0])] if wrong else []


def _database(path: Path) -> tuple[Mapping[str, Mapping[str, Any]], list[Oddity]]:
    content, oddities = read_json(path)
    database = content.get("database", content) if isinstance(content, Mapping) else None
    if not isinstance(database, Mapping):
        raise DataError(f"{path} is no annotation file (it names no videos): get it again")
    for name, entry in database.items():
        if not isinstance(entry, Mapping) or not isinstance(entry.get("annotations"), list):
            raise DataError(f"{path} is no annotation file (video {name} has no list of annotations): get it again")
    return database, oddities


def _rows(path: Path, name: str, entry: Mapping[str, Any]) -> list[Row]:
    try:
        return [_row(row) for row in entry["annotations"]]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise DataError(
            f"{path} is no annotation file (video {name}: {type(error).__name__}: {error}): get it again"
        ) from None


def _row(row: Mapping[str, Any]) -> Row:
    start, end = map(float, row["segment"])
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ValueError("a time is not a finite number")
    number = row.get("label_id")
    return str(row["label"]), start, end, None if number is None else int(number)


def _seconds(entry: Mapping[str, Any]) -> float:
    """How long a video is; 0 where the annotation does not say."""
    value = entry.get("duration", entry.get("duration_second"))
    return float(value) if isinstance(value, int | float) and 0 < value < 1e9 else 0.0
