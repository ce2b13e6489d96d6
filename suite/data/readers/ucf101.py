"""UCF101-24: tubes of 24 sports in short videos, from the corrected MATLAB annotation (never from its pickled twin).

Layout below the dataset's folder: ``finalAnnots.mat``, ``testlist01.txt`` (split 1), pixels as
``rgb-images/Class/VIDEO/00001.jpg`` or ``videos/Class/VIDEO.avi``, and a person detector's boxes in
``detections.csv``: video, frame (1 the first), x1, y1, x2, y2 in pixels, score (unless ``boxes=annotated``).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from suite.data.readers.ava import copy_labels, joined, training_boxes
from suite.data.reading import Reader
from suite.data.video import ClipSource
from suite.errors import DataError
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.actors.samples import Actors
from suite.tasks.actors.tables import BoxTable, assemble, frequent_and_rare
from suite.tasks.actors.ucf_files import AnnotatedTubes, read_test_list, read_tubes
from suite.tasks.data import TaskData

WIDTH, HEIGHT = 320, 240
RATE = 25.0  # frames per second in UCF101; seconds here are frame / 25, so hundredths name every frame


def group_of(video: str) -> str:
    """The source a video was cut from, ``Class/g07``: splits of UCF101 are disjoint by it."""
    found = re.search(r"_(g\d+)_c\d+$", video)
    return f"{video.partition('/')[0]}/{found[1]}" if found else video


def read_detections(path: Path, classes: int, threshold: float) -> BoxTable:
    """A person detector's boxes with a score of at least ``threshold``; :class:`DataError` for a malformed line."""
    rows = []
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            try:
                video, frame, *numbers = row
                x1, y1, x2, y2, score = map(float, numbers)
            except ValueError:
                raise DataError(
                    f"{path}, line {number}: not video, frame, x1, y1, x2, y2, score; correct it."
                ) from None
            if score >= threshold:
                rows.append((video, (int(frame) - 1) / RATE, x1, y1, x2, y2, score))
    values = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 6)
    labels = np.zeros((len(rows), classes), dtype=bool)
    return BoxTable(np.array([row[0] for row in rows], str), values[:, 0], _share(values[:, 1:5]), labels, values[:, 5])


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Actors]:
    """Split 1: training videos by every ``key_stride``-th annotated frame, test videos by every annotated frame."""
    tubes = read_tubes(folder / "finalAnnots.mat")
    in_test = np.isin(tubes.videos, sorted(read_test_list(folder / "testlist01.txt")))
    held = np.array([_number_of_group(video) > 25 - int(dials["holdout"]) for video in tubes.videos]) & ~in_test
    parts = {"train": ~in_test & ~held, "validation": held, "test": in_test}
    samples = {}
    for split, videos in parts.items():
        stride = int(dials["test_stride" if split == "test" else "key_stride"])
        truth = _table(tubes, videos[tubes.video] & (tubes.frame % stride == 0))
        if split == "train":
            actors = _training(tubes, videos, truth, folder, dials)
        else:
            actors = _detected(truth, tubes.videos[videos], stride, folder, dials)
        units = np.array([group_of(video) for video in actors.video], dtype=str)
        samples[split] = replace(actors, unit=units, frames=_pixels(actors, folder))
    counts = samples["train"].labels.sum(axis=0)
    facts = {"poses": 0, "unit": "group", "pixels": [WIDTH, HEIGHT], "groups": frequent_and_rare(counts)}
    return TaskData.of(card.name, task, tubes.classes, samples, facts)


def counts(card: DatasetCard, folder: Path, data: TaskData[Actors]) -> dict[str, int]:
    """What the files hold, before key frames are chosen."""
    tubes = read_tubes(folder / "finalAnnots.mat")
    test = np.isin(tubes.videos, sorted(read_test_list(folder / "testlist01.txt")))
    return {
        "videos": len(tubes.videos),
        "tubes": tubes.count,
        "boxes": len(tubes.video),
        "test_videos": int(test.sum()),
    }


def _number_of_group(video: str) -> int:
    found = re.search(r"_g(\d+)_c\d+$", video)
    return int(found[1]) if found else 0


def _share(pixels: np.ndarray) -> np.ndarray:
    """Pixels to shares of the frame, cut to it."""
    return np.clip(pixels / np.array([WIDTH, HEIGHT, WIDTH, HEIGHT]), 0.0, 1.0)


def _table(tubes: AnnotatedTubes, rows: np.ndarray) -> BoxTable:
    labels = np.zeros((int(rows.sum()), len(tubes.classes)), dtype=bool)
    labels[np.arange(len(labels)), tubes.label[rows]] = True
    video = tubes.videos[tubes.video[rows]]
    return BoxTable(video, tubes.frame[rows] / RATE, _share(tubes.box[rows]), labels, np.ones(len(labels)))


def _training(
    tubes: AnnotatedTubes, videos: np.ndarray, truth: BoxTable, folder: Path, dials: Mapping[str, Value]
) -> Actors:
    """Labelled key frames and, with ``unlabelled=between``, detected people on annotated frames halfway between."""
    train, stride = _trained(truth, folder, dials), int(dials["key_stride"])
    if dials["unlabelled"] == "none" or stride == 1:
        return assemble(train)
    between = _table(tubes, videos[tubes.video] & (tubes.frame % stride == stride // 2))
    found = _detections(folder, len(tubes.classes), float(dials["train_score"]), "unlabelled=none")
    there = set(zip(between.video, between.second))
    more = found.take(np.array([key in there for key in zip(found.video, found.second)], dtype=bool))
    return assemble(joined(train, more), labelled=np.arange(len(train) + len(more)) < len(train))


def _trained(truth: BoxTable, folder: Path, dials: Mapping[str, Value]) -> BoxTable:
    """The boxes of training key frames that the dial ``train_boxes`` names."""
    boxes = str(dials["train_boxes"])
    if boxes == "annotated":
        return truth
    found = _detections(folder, truth.labels.shape[1], float(dials["train_score"]), "train_boxes=annotated")
    return training_boxes(truth, found, boxes, float(dials["train_overlap"]))


def _detected(truth: BoxTable, videos: np.ndarray, stride: int, folder: Path, dials: Mapping[str, Value]) -> Actors:
    """Detected boxes on every ``stride``-th frame of ``videos`` (V,), annotated or not; or, where the dial ``boxes``
    asks for them, the annotated ones: that is another protocol."""
    if dials["boxes"] == "annotated":
        return assemble(truth)
    found = _detections(folder, truth.labels.shape[1], float(dials["test_score"]), "boxes=annotated")
    on_grid = np.rint(found.second * RATE).astype(np.int64) % stride == 0
    kept = found.take(np.isin(found.video, videos) & on_grid)
    return assemble(copy_labels(kept, truth, overlap=0.5), truth)


def _detections(folder: Path, classes: int, threshold: float, otherwise: str) -> BoxTable:
    """The detector's boxes; where there are none, the dial ``otherwise`` does without."""
    path = folder / "detections.csv"
    if not path.is_file():
        raise DataError(f"{path} is missing; put the detector's boxes there, or say {otherwise}.")
    return read_detections(path, classes, threshold)


def _pixels(actors: Actors, folder: Path) -> ClipSource | None:
    """Frame folders or video files by the number of the frame, 32 consecutive frames per clip (slow 8 x 4)."""
    owners = [name.rsplit(",", 1) for name in actors.clip_ids]
    centres = np.array([round(float(second) * RATE) for _, second in owners], dtype=np.int64)
    if (folder / "rgb-images").is_dir():
        files = np.array([str(folder / "rgb-images" / video) for video, _ in owners], dtype=str)
        return ClipSource(files, centres, rate=1, pattern="{index:05d}.jpg")
    if (folder / "videos").is_dir():
        files = np.array([str(folder / "videos" / f"{video}.avi") for video, _ in owners], dtype=str)
        return ClipSource(files, centres, rate=1, fps=0)
    return None


READER = Reader(read, counts=counts)
