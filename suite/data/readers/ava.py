"""AVA v1.0, v2.1 and v2.2: boxes with label sets of people at key frames, one (v1.0: every third) second apart.

Layout below the dataset's folder, as published: annotations ``ava_{train,val,test}_v*.csv`` (tab or comma separated),
``ava_*_excluded_timestamps_*.csv``, the label map ``*.pbtxt``, a person detector's ``ava_*_predicted_boxes.csv``;
pixels as ``frames/VIDEO/VIDEO_000001.jpg`` (30 per second from 15:00 on) or as whole ``videos/VIDEO.mp4`` (mkv, webm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from suite.data.reading import Reader
from suite.data.video import ClipSource, key_frame
from suite.errors import DataError
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.actors.ava_files import label_map, read_annotations, read_detections, read_exclusions
from suite.tasks.actors.samples import Actors
from suite.tasks.actors.tables import BoxTable, assemble, frequent_and_rare
from suite.tasks.data import TaskData

FIRST_SECOND = 900  # frame folders and lists begin at 15:00
SUFFIXES = (".mp4", ".mkv", ".webm", ".avi")


def without(table: BoxTable, excluded: set[tuple[str, float]]) -> BoxTable:
    """The boxes on key frames that are not excluded."""
    return table.take(np.array([(v, s) not in excluded for v, s in zip(table.video, table.second)], dtype=bool))


def copy_labels(boxes: BoxTable, truth: BoxTable, overlap: float = 0.0) -> BoxTable:
    """``boxes`` with the labels of the annotated person each overlaps most, if by more than ``overlap`` (else none)."""
    labels = np.zeros((len(boxes), truth.labels.shape[1]), dtype=bool)
    frames: dict[tuple[str, float], list[int]] = {}
    for row, key in enumerate(zip(truth.video, truth.second)):
        frames.setdefault(key, []).append(row)
    for row, key in enumerate(zip(boxes.video, boxes.second)):
        people = frames.get(key, [])
        if people:
            shared = box_overlap(boxes.box[row][None], truth.box[people])[0]
            if shared.max() > overlap:
                labels[row] = truth.labels[people[int(shared.argmax())]]
    return replace(boxes, labels=labels)


def training_boxes(truth: BoxTable, found: BoxTable, boxes: str, overlap: float) -> BoxTable:
    """What labelled key frames are trained on: ``annotated``, ``detected`` boxes, or ``both``.

    A detected box has the labels of the annotated person that it overlaps by more than ``overlap``; the others are
    people without an action (SlowFast's released training list: 0.9, those without included).
    """
    there = set(zip(truth.video, truth.second))
    here = np.array([key in there for key in zip(found.video, found.second)], dtype=bool)
    copied = copy_labels(found.take(here), truth, overlap)
    return copied if boxes == "detected" else joined(truth, copied)


def joined(one: BoxTable, other: BoxTable) -> BoxTable:
    """The boxes of both tables, those of ``one`` first."""
    return BoxTable(*(np.concatenate([getattr(one, n), getattr(other, n)]) for n in BoxTable.__dataclass_fields__))


def box_overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (N, 4) with boxes (M, 4), (N, M); 0 for a box without area."""
    low, high = np.maximum(one[:, None, :2], other[None, :, :2]), np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (one, other)]
    union = area[0][:, None] + area[1][None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Actors]:
    """Read a version of AVA as its card describes: options ``train``, ``test``, ``label_map`` and, where they exist,
    ``excluded``, ``detections``, ``unlabelled`` name the files; the pixels may be absent for work on boxes alone."""
    options = card.options
    names, poses = label_map(folder / options["label_map"])
    ids = sorted(names)
    train, test = (_without_excluded(folder, options, name, ids) for name in ("train", "test"))
    held = _held_out(np.unique(train.video), float(dials["holdout"]))
    in_train = ~np.isin(train.video, held)
    trained = _trained(train.take(in_train), folder, options, dials)
    samples = {
        "train": _with_unlabelled(trained, train.take(in_train), folder, card, dials),
        "validation": _detected(train.take(~in_train), folder, options, dials, "train"),
        "test": _detected(test, folder, options, dials, "test"),
    }
    samples = {name: replace(actors, frames=_pixels(actors, folder, card)) for name, actors in samples.items()}
    facts = {
        "poses": len(poses & set(ids)),
        "class_ids": ids,
        "unit": "video",
        "groups": frequent_and_rare(train.labels.sum(axis=0)),
    }
    return TaskData.of(card.name, task, (names[number] for number in ids), samples, facts)


def _without_excluded(folder: Path, options: Mapping[str, str], split: str, ids: Sequence[int]) -> BoxTable:
    table = read_annotations(folder / options[split], ids)
    return without(table, _excluded(folder, options, split))


def _excluded(folder: Path, options: Mapping[str, str], split: str) -> set[tuple[str, float]]:
    path = folder / options.get(f"{split}_excluded", "")
    return read_exclusions(path) if path.is_file() else set()


def _held_out(videos: np.ndarray, share: float) -> np.ndarray:
    """Training videos that validate: every so many-th of the sorted names, at least one if any are to."""
    count = max(1, round(share * len(videos))) if share > 0 and len(videos) > 1 else 0
    return videos[np.linspace(0, len(videos) - 1, count).round().astype(int)] if count else videos[:0]


def _trained(truth: BoxTable, folder: Path, options: Mapping[str, str], dials: Mapping[str, Value]) -> BoxTable:
    """The boxes of labelled key frames that the dial ``train_boxes`` names."""
    boxes = str(dials["train_boxes"])
    if boxes == "annotated":
        return truth
    path = folder / options.get("train_detections", "")
    if not path.is_file():
        raise DataError(f"{path} is missing; put the detector's boxes there, or say train_boxes=annotated.")
    found = read_detections(path, truth.labels.shape[1], float(dials["train_score"]))
    return training_boxes(truth, found, boxes, float(dials["train_overlap"]))


def _with_unlabelled(
    train: BoxTable, truth: BoxTable, folder: Path, card: DatasetCard, dials: Mapping[str, Value]
) -> Actors:
    """The people to train on, and detected ones on key frames between the annotated seconds."""
    path = folder / card.options.get("unlabelled", "")
    if not path.is_file():
        return assemble(train)
    more = read_detections(path, train.labels.shape[1], float(dials["train_score"]))
    # Detected people on annotated seconds are the annotated ones, whose labels are known.
    more = without(more.take(np.isin(more.video, truth.video)), set(zip(truth.video, truth.second)))
    return assemble(joined(train, more), labelled=np.arange(len(train) + len(more)) < len(train))


def _detected(
    truth: BoxTable, folder: Path, options: Mapping[str, str], dials: Mapping[str, Value], split: str
) -> Actors:
    """Detected boxes on the key frames of the annotated videos that are not excluded, or the annotated boxes.

    Videos held out to validate fall back to annotated boxes; the test never does, for that is another protocol.
    """
    path = folder / options.get(f"{split}_detections", "")
    if dials["boxes"] == "annotated" or (split == "train" and not path.is_file()):
        return assemble(truth)
    if not path.is_file():
        raise DataError(f"{path} is missing; put the detector's boxes there, or say boxes=annotated.")
    found = read_detections(path, truth.labels.shape[1], float(dials["test_score"]))
    found = without(found.take(np.isin(found.video, truth.video)), _excluded(folder, options, split))
    return assemble(copy_labels(found, truth, overlap=0.5), truth)


def _pixels(actors: Actors, folder: Path, card: DatasetCard) -> ClipSource | None:
    """Where the clips are: frame folders if there are any, else video files, else nowhere."""
    owners = [name.rsplit(",", 1) for name in actors.clip_ids]
    centres = np.array([key_frame(float(second)) for _, second in owners], dtype=np.int64)
    if (folder / "frames").is_dir():
        files = np.array([str(folder / "frames" / video) for video, _ in owners], dtype=str)
        return ClipSource(files, centres - FIRST_SECOND * 30, pattern="{name}_{index:06d}.jpg")
    if (folder / "videos").is_dir():
        return ClipSource(np.array([str(_video_file(folder / "videos", video)) for video, _ in owners]), centres)
    return None


def _video_file(folder: Path, video: str) -> Path:
    found = (folder / f"{video}{suffix}" for suffix in SUFFIXES)
    return next((path for path in found if path.is_file()), folder / f"{video}{SUFFIXES[0]}")


READER = Reader(read)
