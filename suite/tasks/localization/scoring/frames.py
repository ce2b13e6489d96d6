"""One label per frame of a video, in the layout in which MS-TCN and its successors publish 50Salads, GTEA, Breakfast:
``groundTruth/VIDEO.txt`` with one label per line, ``mapping.txt`` with the number and the name of each class,
``splits/test.split1.bundle`` with the names of the test videos.

Predictions are a folder of one file per video: ``VIDEO.txt`` like the truth, MS-TCN's ``VIDEO`` (a line of ``###``,
then all labels in one line), or ``VIDEO.npy`` with class scores (T, C) or (C, T), or with class numbers (T,).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from suite.errors import DataError
from suite.tasks.localization.scoring.annotations import video_names
from suite.tasks.scoring.files import Choice
from suite.tasks.scoring.joining import class_places
from suite.tasks.scoring.report import Oddity
from suite.tasks.scoring.text import read_text

MAPPING = "mapping.txt"
UNKNOWN, MISSING = -1, -2  # label of a frame: none of the classes; not predicted at all


@dataclass(frozen=True)
class FrameRows:
    """What was predicted for each video: names (T,), class numbers (T,) or class scores, with the classes' names."""

    form: str
    video: tuple[str, ...]
    frames: tuple[np.ndarray, ...]
    mapping: Mapping[str, int] = field(default_factory=dict)
    score: np.ndarray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class FrameTruth:
    """The class (T_v,) of each frame of each video, an index into ``classes``; ``numbers`` is what files call them."""

    videos: tuple[str, ...]
    classes: tuple[str, ...]
    frames: tuple[np.ndarray, ...]
    numbers: Mapping[str, int]
    oddities: tuple[Oddity, ...] = ()


def read_frames(folder: Path) -> FrameRows | None:
    """The predictions of a folder, or None for one that holds no such file; :class:`DataError` for a damaged file."""
    paths = _files(folder, ("", ".txt", ".npy"))
    if not paths:
        return None
    found = tuple(_array(path) if path.suffix == ".npy" else _labels(path)[0] for path in paths)
    form = "class scores per frame" if any(one.ndim == 2 for one in found) else "labels per frame"
    return FrameRows(form, tuple(path.stem for path in paths), found, _mapping(folder))


def frame_truth(folder: Path, choice: Choice) -> FrameTruth:
    """The labels in a folder ``groundTruth`` of the videos that the choice lists; ``mapping.txt`` is in or beside it.

    Raises :class:`DataError` for a folder without label files, or one that lacks a listed video.
    """
    paths = {path.stem: path for path in _files(folder, (".txt",))}
    if choice.listed is not None:
        names = {name.removesuffix(".txt") for name in video_names(choice.listed)}
        if absent := sorted(names - set(paths)):
            raise DataError(f"{folder} lacks {len(absent)} of the listed videos, e.g. {absent[0]}: give the whole")
        paths = {name: path for name, path in paths.items() if name in names}
    if not paths:
        raise DataError(f"{folder} holds no label files: give the folder groundTruth, with VIDEO.txt files")
    read = {name: _labels(path) for name, path in paths.items()}
    mapping = _mapping(folder) or _mapping(folder.parent)
    seen = sorted({str(label) for labels, _ in read.values() for label in np.unique(labels)})
    classes = (*sorted(mapping, key=lambda name: mapping[name]), *(name for name in seen if name not in mapping))
    numbers = {name: mapping.get(name, place) for place, name in enumerate(classes)}
    frames = tuple(_places(labels, classes, numbers) for labels, _ in read.values())
    return FrameTruth(tuple(paths), classes, frames, numbers, tuple(odd for _, odds in read.values() for odd in odds))


def join_frames(rows: FrameRows, truth: FrameTruth) -> tuple[list[np.ndarray], list[Oddity]]:
    """The predicted class of each frame of the truth; what is missing or unknown is never right, and counted."""
    given = dict(zip(rows.video, rows.frames))
    unknown = np.array([name not in truth.videos for name in rows.video], dtype=bool)
    absent = np.array([name not in given for name in truth.videos], dtype=bool)
    predicted, wrong, broken, other = [], [], 0, []
    for name, labels in zip(truth.videos, truth.frames):
        frames, lost = _classes(given.get(name, np.zeros(0, dtype=np.int64)), rows, truth, name)
        broken += lost
        wrong.append(int((frames == UNKNOWN).sum()))
        if len(frames) != len(labels) and name in given:
            other.append(f"{name}: {len(frames)} for {len(labels)}")
        predicted.append(np.concatenate([frames, np.full(len(labels), MISSING)])[: len(labels)])
    oddities = [
        Oddity.of("unknown video", unknown, "ignored", rows.video),
        Oddity.of("video without predictions", absent, "all its frames are wrong", truth.videos),
        Oddity("frame with an unknown label", sum(wrong), "wrong", _first(truth.videos, wrong)),
        Oddity("score that is no finite number", broken, "taken as the lowest"),
        Oddity("video with another number of frames", len(other), "missing ones are wrong", other[0] if other else ""),
    ]
    return predicted, [one for one in oddities if one.count]


def _classes(frames: np.ndarray, rows: FrameRows, truth: FrameTruth, video: str) -> tuple[np.ndarray, int]:
    """(T,) class of each frame, and how many class scores are not finite."""
    if frames.ndim < 2:
        return _places(frames.astype(str), truth.classes, truth.numbers), 0
    names = sorted(rows.mapping, key=lambda name: rows.mapping[name]) or list(truth.classes)
    if len(names) not in frames.shape:
        shape = " x ".join(map(str, frames.shape))
        raise DataError(f"{video}.npy holds {shape} scores, but there are {len(names)} classes: write one per class")
    scores = frames if frames.shape[1] == len(names) else frames.T
    finite = np.isfinite(scores)
    best = np.where(finite, scores, -np.inf).argmax(axis=1) if len(scores) else np.zeros(0, dtype=np.int64)
    place = class_places(names, truth.classes, truth.numbers)
    return np.where(finite.any(axis=1), place[best], UNKNOWN), int((~finite).sum())


def _places(labels: np.ndarray, classes: tuple[str, ...], numbers: Mapping[str, int]) -> np.ndarray:
    called, which = np.unique(labels, return_inverse=True)
    return class_places([str(name) for name in called], classes, numbers)[which.reshape(-1)]


def _first(names: tuple[str, ...], counts: list[int]) -> str:
    return next((name for name, count in zip(names, counts) if count), "")


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and path.suffix in suffixes and path.name != MAPPING and not path.name.startswith(".")
    ]


def _labels(path: Path) -> tuple[np.ndarray, list[Oddity]]:
    """(T,) names, one per line, or all in one line (below MS-TCN's line of ``###``, if there is one)."""
    text, oddities = read_text(path)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith("###")]
    labels = kept[0].split() if len(kept) == 1 else kept
    return np.array(labels, dtype=str), oddities


def _array(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is not a whole array ({str(error).splitlines()[0]}): write it again") from None
    if array.ndim not in (1, 2) or array.dtype.kind not in ("fiu" if array.ndim == 2 else "iu"):
        raise DataError(f"{path} holds {array.dtype} {array.shape}: write class scores (T, C) or class numbers (T,)")
    return np.asarray(array)


def _mapping(folder: Path) -> dict[str, int]:
    """Name to number of each class, where ``mapping.txt`` is there."""
    path = folder / MAPPING
    if not path.is_file():
        return {}
    found = {}
    for number, line in enumerate(read_text(path)[0].splitlines(), start=1):
        parts = line.split(maxsplit=1)
        if parts and (len(parts) < 2 or not parts[0].isdecimal() or len(parts[0]) > 9):
            raise DataError(f"{path}, line {number}: not the number and the name of a class; write them")
        if parts:
            found[parts[1].strip()] = int(parts[0])
    return found
