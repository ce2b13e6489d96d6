"""Untrimmed videos with I3D features (THUMOS-14, ActivityNet), in the layouts in which they are published.

Features (L, D), RGB before flow, are found as ``<video>.npy`` (both modalities in one file), as ``rgb/<video>.npy`` and
``flow/<video>.npy``, below ``features``, ``features/train`` and ``features/test`` or the folder itself, or in one file
of all videos as W-TALC has it, with their names in a second file. Nothing that a feature file contains is ever run.

Annotations are ActivityNet-style JSON; the card's options name the files, the first that is there counts. Which test
videos take part is decided by the protocol.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from suite.data.array_pickles import object_array
from suite.data.reading import Reader
from suite.data.storage.ahead import each_ahead
from suite.data.storage.rows import LazyRows
from suite.errors import DataError
from suite.evaluate.segments import Segments
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

NAMES = ("Thumos14reduced-Annotations/videoname.npy", "videoname.npy")
PLACES = ("features", "features/train", "features/test", "features/val", "")
HELD_OUT = 4
"""Every fourth training video validates: the field itself has no validation split and selects on the test videos."""


@dataclass(frozen=True)
class Annotated:
    """One annotated video; ``rows`` are (label, start, end) in seconds; duration and ``fps`` are 0 where unknown."""

    name: str
    subset: str
    duration: float
    fps: float
    rows: tuple[tuple[str, float, float], ...]


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Videos]:
    """The three splits; ``dials.validation`` says whether validation is held out of training or is the test split."""
    videos = read_annotations(card, folder)
    classes = tuple(sorted({label for video in videos for label, _, _ in video.rows}))
    source = find_features(card, folder)
    train = [video for video in videos if video.subset in card.options["train_subsets"]]
    test = [video for video in videos if video.subset in card.options["test_subsets"]]
    shared = dials["validation"] == "test"
    held = train[HELD_OUT - 1 :: HELD_OUT]
    kept = train if shared else [video for place, video in enumerate(train) if place % HELD_OUT != HELD_OUT - 1]
    parts = {split: as_videos(card, part, classes, source) for split, part in (("train", kept), ("test", test))}
    parts["validation"] = parts["test"] if shared else as_videos(card, held, classes, source)
    facts: dict[str, Any] = {"feature_halves": True, "unit": "video", "kind": "real", "validation_is_test": shared}
    facts["class_scores"] = class_scores(card, folder, classes, parts)
    return TaskData.of(card.name, task, classes, parts, facts)


def counts(card: DatasetCard, folder: Path, data: Any) -> dict[str, int | float]:
    """Videos and segments as annotated, whatever features are there."""
    videos = read_annotations(card, folder)
    return {
        "annotated_videos": len(videos),
        "annotated_segments": sum(len(video.rows) for video in videos),
        "annotated_classes": len({label for video in videos for label, _, _ in video.rows}),
    }


# Annotations -------------------------------------------------------------------------------------------------------


def read_annotations(card: DatasetCard, folder: Path) -> list[Annotated]:
    """All annotated videos by name, from the first of the known files that is there."""
    known = [str(name) for name in card.options["annotations"]]
    path = next((folder / name for name in known if (folder / name).is_file()), None)
    if path is None:
        raise DataError(f"{card.name}: {folder} holds neither {' nor '.join(known)}; put the annotations there.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        database = content.get("database", content)
        videos = [annotated(name, entry) for name, entry in sorted(database.items())]
        return [video for video in videos if video.rows]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{card.name}: {path} is no annotation file ({type(error).__name__}: {error}).") from None


def annotated(name: str, entry: Mapping[str, Any]) -> Annotated:
    rows = [(str(row["label"]), float(row["segment"][0]), float(row["segment"][1])) for row in entry["annotations"]]
    duration = float(entry.get("duration", 0.0))
    fps = float(entry["fps"]) if "fps" in entry else float(entry.get("frames", 0.0)) / (duration or 1.0)
    return Annotated(name, str(entry["subset"]).lower(), duration, fps, tuple(rows))


# Features ----------------------------------------------------------------------------------------------------------


class FeatureSource(Protocol):
    """Where the rows of a video are."""

    def shape(self, video: str) -> tuple[int, int]:
        """(L, D) of a video; raises :class:`DataError` where it has no features."""

    def rows(self, video: str) -> np.ndarray:
        """(L, D) the features of a video."""


@dataclass(frozen=True)
class OneFile:
    """All videos in one array of arrays."""

    path: Path
    index: Mapping[str, int]
    arrays: np.ndarray

    def shape(self, video: str) -> tuple[int, int]:
        rows = self.rows(video)
        return rows.shape[0], rows.shape[1]

    def rows(self, video: str) -> np.ndarray:
        if video not in self.index:
            raise DataError(f"{self.path} has no features of {video}; get the complete file.")
        return np.asarray(self.arrays[self.index[video]])


@dataclass(frozen=True)
class FilePerVideo:
    """One file per video, or one per video and modality."""

    folder: Path

    def shape(self, video: str) -> tuple[int, int]:
        parts = [open_array(path) for path in self.paths(video)]
        if len({len(part) for part in parts}) > 1:
            lengths = " and ".join(str(len(part)) for part in parts)
            raise DataError(f"{self.folder}: RGB and flow of {video} have {lengths} snippets; get its features again.")
        return len(parts[0]), sum(part.shape[1] for part in parts)

    def rows(self, video: str) -> np.ndarray:
        return np.concatenate([open_array(path) for path in self.paths(video)], axis=1)

    def paths(self, video: str) -> list[Path]:
        """The files of one video, RGB before flow."""
        for place in PLACES:
            both = self.folder / place / f"{video}.npy"
            if both.is_file():
                return [both]
            parts = [self.folder / place / modality / f"{video}.npy" for modality in ("rgb", "flow")]
            if all(part.is_file() for part in parts):
                return parts
        raise DataError(
            f"{self.folder} holds no features of {video}; put them into features/{video}.npy, or into "
            f"features/rgb and features/flow."
        )


@dataclass(frozen=True)
class Thinned:
    """Every so many-th row of another source: packs with a row per frame are denser than what is learned from."""

    source: FeatureSource
    every: int

    def shape(self, video: str) -> tuple[int, int]:
        length, width = self.source.shape(video)
        return -(-length // self.every), width

    def rows(self, video: str) -> np.ndarray:
        return np.ascontiguousarray(self.source.rows(video)[:: self.every])  # the others are not held


def open_array(path: Path) -> np.ndarray:
    """A memory map of a two-dimensional feature file; raises :class:`DataError` for anything else."""
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is not a whole feature file ({error}); get it again.") from None
    if array.ndim != 2 or array.dtype.kind != "f":
        raise DataError(f"{path} holds {array.dtype} {array.shape} instead of features (L, D); get it again.")
    return array


def find_features(card: DatasetCard, folder: Path) -> FeatureSource:
    """The features below ``folder``, in whichever layout they are; thinned out as the card's option ``every`` says."""
    every = int(card.options.get("every", 1))
    return Thinned(_all_features(card, folder), every) if every > 1 else _all_features(card, folder)


def _all_features(card: DatasetCard, folder: Path) -> FeatureSource:
    joint = folder / str(card.options.get("joint", ""))
    if not joint.is_file():
        return FilePerVideo(folder)
    names = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if names is None:
        raise DataError(f"{card.name}: {joint} needs {NAMES[0]} beside it, which names its videos; put it there.")
    listed = np.load(names, allow_pickle=False)
    order = [name.decode() if isinstance(name, bytes) else str(name) for name in listed.tolist()]
    arrays = object_array(joint)
    if len(arrays) != len(order):
        raise DataError(f"{card.name}: {joint} holds {len(arrays)} videos for {len(order)} names; get both again.")
    return OneFile(joint, {name: place for place, name in enumerate(order)}, arrays)


def class_scores(
    card: DatasetCard, folder: Path, classes: Sequence[str], videos: Mapping[str, Videos]
) -> dict[str, np.ndarray]:
    """Class scores (V, C) of test videos from UntrimmedNet's file, where it is there: a row per test video, by number.

    The card names the file and the column of each class. Splits that it does not cover are left out.
    Raises :class:`DataError` for a class of which the card names no column.
    """
    path = folder / str(card.options.get("class_scores", ""))
    if not path.is_file():
        return {}
    known = card.options["class_columns"]
    if absent := [name for name in classes if name not in known]:
        raise DataError(f"{card.name}: the card names no column of {path} for '{absent[0]}'; correct the annotations.")
    table, columns = open_array(path), np.array([known[name] for name in classes], dtype=np.int64)
    rows = {split: [_test_number(str(name)) - 1 for name in part.ids] for split, part in videos.items()}
    covered = {split: found for split, found in rows.items() if found and min(found) >= 0 and max(found) < len(table)}
    return {split: np.asarray(table[found][:, columns], dtype=np.float64) for split, found in covered.items()}


def _test_number(name: str) -> int:
    """The number of a test video, counted from 1; 0 for any other video."""
    number = name.rpartition("_")[2]
    return int(number) if name.startswith("video_test_") and number.isdigit() else 0


# Splits ------------------------------------------------------------------------------------------------------------


def as_videos(card: DatasetCard, videos: list[Annotated], classes: tuple[str, ...], source: FeatureSource) -> Videos:
    """Annotated videos with their features, streamed when they are packed."""
    shapes = [source.shape(video.name) for video in videos]
    widths = {width for _, width in shapes}
    if len(widths) > 1:
        raise DataError(f"{card.name}: features are {sorted(widths)} channels wide; give all videos the same ones.")
    lengths = np.array([length for length, _ in shapes], dtype=np.int64)

    def blocks() -> Iterator[np.ndarray]:
        yield from each_ahead(source.rows, (video.name for video in videos))

    rows: Any = LazyRows((int(lengths.sum()), *widths), blocks)
    fps, stride = _rates(card, videos), float(card.layout.stride or 16.0)
    spans = lengths * stride / fps
    return Videos.annotated(
        np.array([video.name for video in videos]),
        rows,
        lengths,
        segments_of((video.rows for video in videos), classes),
        len(classes),
        fps=fps,
        stride=stride,
        window=float(card.layout.window or stride),
        duration=np.array([video.duration or span for video, span in zip(videos, spans, strict=True)]),
    )


def _rates(card: DatasetCard, videos: list[Annotated]) -> np.ndarray:
    """(V,) frames per second: those at which features were taken, if the card says so, else each video's own."""
    if card.layout.fps:
        return np.full(len(videos), float(card.layout.fps))
    silent = next((video.name for video in videos if video.fps <= 0), None)
    if silent is not None:
        known = card.options["annotations"][0]
        raise DataError(
            f"{card.name}: its annotations state no frame rate for {silent}; put {known} there, which does."
        )
    return np.array([video.fps for video in videos])


def segments_of(videos: Iterable[Iterable[tuple[str, float, float]]], classes: Sequence[str]) -> Segments:
    """The segments of videos, each given by its annotated rows of label, start and end."""
    place = {name: number for number, name in enumerate(classes)}
    return Segments.of_rows((v, place[name], start, end) for v, rows in enumerate(videos) for name, start, end in rows)


READER = Reader(read, counts=counts)
