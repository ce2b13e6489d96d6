"""ActivityNet-1.3 in the reduced set that BSN and BMN made common: 9,649 training and 4,728 validation videos.

Annotations are ``anet_anno_action.json`` with ``video_info_new.csv``. Features come in two published forms:
``csv_mean_100/<video>.csv``, a header and 100 rows of 400 two-stream scores that span what the features cover of the
video (TSN; the end of a video that fills no snippet is lost), or ``features/<video>.npy`` (L, D) at the card's stride
(I3D, TSP), taken from videos resampled to the rate that the card states for features of that width. Optional: the
labelled lists of SSTAP and SPOT, ``video_info_new_<unlabelled>.csv``, and the video-level class scores of CUHK's
classifier, which was trained on all training labels.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from suite.data.readers.i3d import HELD_OUT, FilePerVideo, segments_of
from suite.data.reading import Reader
from suite.data.storage.ahead import each_ahead
from suite.data.storage.rows import LazyRows
from suite.errors import DataError
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

ANNOTATIONS, INFO, CELLS = "anet_anno_action.json", "video_info_new.csv", "csv_mean_100"
CLASS_SCORES = "cuhk_val_simp_share.json"
UNLABELLED = (0.9, 0.8, 0.6, 0.4)
"""Shares of unlabelled videos for which NPL's rivals publish lists, as the file names have them."""


@dataclass(frozen=True)
class ListedVideo:
    """One video: frames, seconds, frames that its features cover, rows of (label, start, end) in seconds."""

    name: str
    subset: str
    frames: float
    seconds: float
    covered: float
    rows: tuple[tuple[str, float, float], ...]


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Videos]:
    """The three splits: the validation subset is the test, every fourth training video validates (or the test does)."""
    entries = read_entries(card, folder)
    classes = tuple(sorted({label for entry in entries for label, _, _ in entry.rows}))
    train = [entry for entry in entries if entry.subset == "training" and entry.rows]
    test = [entry for entry in entries if entry.subset == "validation" and entry.rows]
    shared = dials["validation"] == "test"
    held = train[HELD_OUT - 1 :: HELD_OUT]
    kept = train if shared else [entry for place, entry in enumerate(train) if place % HELD_OUT != HELD_OUT - 1]
    videos = {split: as_videos(card, folder, part, classes) for split, part in (("train", kept), ("test", test))}
    videos["validation"] = videos["test"] if shared else as_videos(card, folder, held, classes)
    facts: dict[str, Any] = {"unit": "video", "kind": "real", "validation_is_test": shared}
    facts["published_lists"] = published_lists(folder, videos["train"].ids)
    facts["class_scores"] = class_scores(folder, classes, videos)
    return TaskData.of(card.name, task, classes, videos, facts)


def counts(card: DatasetCard, folder: Path, data: Any) -> dict[str, int | float]:
    """Videos and segments as annotated, whatever features are there."""
    entries = read_entries(card, folder)
    found = {f"annotated_{subset}": sum(entry.subset == subset for entry in entries) for subset in
             ("training", "validation", "testing")}  # fmt: skip
    segments = sum(len(entry.rows) for entry in entries)
    return {"annotated_videos": len(entries), "annotated_segments": segments, **found}


# Annotations -------------------------------------------------------------------------------------------------------


def read_entries(card: DatasetCard, folder: Path) -> list[ListedVideo]:
    """All videos of the list, by name."""
    for name in (ANNOTATIONS, INFO):
        if not (folder / name).is_file():
            raise DataError(f"{card.name}: {folder} lacks {name}; take it from the BMN repository.")
    try:
        database = json.loads((folder / ANNOTATIONS).read_text(encoding="utf-8"))
        with (folder / INFO).open(newline="", encoding="utf-8") as file:
            subsets = {row["video"]: row["subset"] for row in csv.DictReader(file)}
        return [_entry(name, subsets[name], database[name]) for name in sorted(subsets)]
    except (ValueError, KeyError, TypeError) as error:
        place = folder / ANNOTATIONS
        raise DataError(f"{card.name}: {place} and {INFO} do not fit ({type(error).__name__}: {error}).") from None


def _entry(name: str, subset: str, video: Mapping[str, Any]) -> ListedVideo:
    rows = tuple(
        (str(row["label"]), float(row["segment"][0]), float(row["segment"][1])) for row in video["annotations"]
    )
    frames, seconds = float(video["duration_frame"]), float(video["duration_second"])
    return ListedVideo(name, subset, frames, seconds, float(video["feature_frame"]), rows)


def published_lists(folder: Path, ids: np.ndarray) -> dict[str, np.ndarray]:
    """The labelled videos of each published list that is there, by labelled share."""
    found = {}
    for unlabelled in UNLABELLED:
        path = folder / f"video_info_new_{unlabelled:g}.csv"
        if path.is_file():
            found[f"{1 - unlabelled:g}"] = read_published_list(path, ids)
    return found


def read_published_list(path: Path, ids: np.ndarray) -> np.ndarray:
    """The labelled videos of a published ActivityNet list (SSTAP and SPOT: ``video_info_new_<unlabelled>.csv``).

    Rows have columns ``video`` and ``subset``; unlabelled training videos are marked ``training_unlabel``.

    Args:
        path: the list.
        ids: (V,) training videos of the dataset.

    Returns:
        (V,) bool, True for labelled.

    Raises:
        DataError: columns are missing, or a training video is not in the list.
    """
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if not {"video", "subset"} <= set(rows.fieldnames or ()):
            raise DataError(f"{path} has no columns 'video' and 'subset': use a list like video_info_new.csv.")
        subset = {row["video"]: row["subset"] for row in rows}
    absent = [name for name in ids if str(name) not in subset]
    if absent:
        raise DataError(
            f"{path} does not name {len(absent)} training videos (first: {absent[0]}): use the list of this dataset."
        )
    return np.array([subset[str(name)] == "training" for name in ids], dtype=bool)


def class_scores(folder: Path, classes: tuple[str, ...], videos: Mapping[str, Videos]) -> dict[str, np.ndarray]:
    """Class scores (V, C) of the splits that the classifier's file covers, in the dataset's order of classes."""
    path = folder / CLASS_SCORES
    if not path.is_file():
        return {}
    scored = json.loads(path.read_text(encoding="utf-8"))
    missing = sorted(set(classes) - set(scored["class"]))
    if missing:
        raise DataError(f"{path} scores no class '{missing[0]}'; use the file for ActivityNet-1.3.")
    order = [scored["class"].index(name) for name in classes]
    rows = {f"v_{name.removeprefix('v_')}": np.asarray(row)[order] for name, row in scored["results"].items()}
    covered = {split: part for split, part in videos.items() if all(str(name) in rows for name in part.ids)}
    return {split: np.stack([rows[str(name)] for name in part.ids]) for split, part in covered.items() if len(part)}


# Features ----------------------------------------------------------------------------------------------------------


def as_videos(card: DatasetCard, folder: Path, entries: list[ListedVideo], classes: tuple[str, ...]) -> Videos:
    """Videos with their features, streamed when they are packed."""
    # A card of one pack says which; one of either takes cells where they are there.
    cells = {"cells": True, "snippets": False}.get(card.options.get("features", ""), (folder / CELLS).is_dir())
    source = FilePerVideo(folder)
    shapes = [_cells_shape(folder, entry) if cells else source.shape(entry.name) for entry in entries]
    lengths = np.array([length for length, _ in shapes], dtype=np.int64)
    widths = {width for _, width in shapes}
    if len(widths) > 1:
        raise DataError(f"{card.name}: features are {sorted(widths)} channels wide; give all videos the same ones.")

    def blocks() -> Iterator[np.ndarray]:
        read = partial(read_cells, folder) if cells else source.rows
        yield from each_ahead(read, (entry.name for entry in entries))

    covered = np.array([entry.covered for entry in entries])
    stride = covered / lengths if cells else np.full(len(entries), float(card.layout.stride or 16.0))
    rows: Any = LazyRows((int(lengths.sum()), *(widths or {0})), blocks)
    own = np.array([entry.frames / entry.seconds for entry in entries])
    fps = own if cells or not entries else np.full(len(entries), _rate(card, max(widths, default=0)))
    return Videos.annotated(
        np.array([entry.name for entry in entries]),
        rows,
        lengths,
        segments_of((entry.rows for entry in entries), classes),
        len(classes),
        fps=fps,
        stride=stride,
        window=stride,
        duration=covered / fps if cells else np.array([entry.seconds for entry in entries]),
    )


def _rate(card: DatasetCard, width: int) -> float:
    """Frames per second of the videos from which features of this width were taken: packs resample before they extract.

    Raises:
        DataError: the card does not state it.
    """
    rates = card.options["feature_rates"]
    if str(width) not in rates:
        raise DataError(
            f"{card.name}: nothing states at how many frames per second features {width} wide were taken; "
            f"add it to feature_rates in a copy of the card ({', '.join(f'{w}: {r:g}' for w, r in rates.items())})."
        )
    return float(rates[str(width)])


def _cells_shape(folder: Path, entry: ListedVideo) -> tuple[int, int]:
    path = folder / CELLS / f"{entry.name}.csv"
    if not path.is_file():
        raise DataError(f"{folder} holds no features of {entry.name}; put them into {CELLS}/{entry.name}.csv.")
    with path.open(encoding="utf-8") as file:
        width = len(file.readline().split(","))
        return sum(1 for line in file if line.strip()), width


def read_cells(folder: Path, name: str) -> np.ndarray:
    """(L, D) float32 the cells of a video; raises :class:`DataError` for what is no table of numbers."""
    path = folder / CELLS / f"{name}.csv"
    try:
        return np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.float32, ndmin=2)
    except ValueError as error:
        raise DataError(f"{path} is not a whole feature file ({error}); get it again.") from None


READER = Reader(read, counts=counts)
