"""Boxes of key frames to :class:`Actors`: assembling instances into clips, withholding labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from suite.data.label_splits import missing_classes
from suite.data.samples import Actors, TaskData
from suite.evaluate.boxes import Boxes
from suite.evaluate.protocols import AVA, SpatialProtocol
from suite.evaluate.spatial import SpatialResult, frame_map


@dataclass(frozen=True)
class BoxTable:
    """N boxes of key frames in any order: ``video`` (N,) str, ``second`` (N,), ``box`` (N, 4) x1 y1 x2 y2 in [0, 1],
    ``labels`` (N, C) bool, ``score`` (N,) of a detector (1 for annotated boxes)."""

    video: np.ndarray
    second: np.ndarray
    box: np.ndarray
    labels: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.video)

    def take(self, rows: np.ndarray) -> BoxTable:
        """The boxes at ``rows`` (indices or a mask)."""
        return BoxTable(self.video[rows], self.second[rows], self.box[rows], self.labels[rows], self.score[rows])


def clip_name(video: str, second: float) -> str:
    """How a clip is called: video and second of its key frame, to the hundredth where it is not whole."""
    return f"{video},{second:.2f}".removesuffix(".00")


def assemble(
    instances: BoxTable,
    truth: BoxTable | None = None,
    features: np.ndarray | None = None,
    labelled: np.ndarray | None = None,
    oracle: Mapping[str, np.ndarray] | None = None,
) -> Actors:
    """One row an instance, instances of a clip side by side in the given order, clips by video and second.

    Args:
        instances: the boxes that a method scores. truth: the boxes evaluation uses; None for the same ones. A key frame
            that only ``truth`` has becomes a clip without instances.
        features: (N, D) in the order of ``instances``; None for clips of pixels.
        labelled: (N,) bool, all True by default. oracle: hidden arrays (N, ...) in the order of ``instances``.
    """
    truth = truth or instances
    clips, places = _clips(instances, truth)
    order = np.argsort(places[: len(instances)], kind="stable")
    clip, true_clip = places[: len(instances)][order], places[len(instances) :]
    ordered = instances.take(order)
    true_order = np.argsort(true_clip, kind="stable")
    within = np.arange(len(order)) - np.searchsorted(clip, clip)
    names = np.array([clip_name(video, second) for video, second in clips], dtype=str)
    return Actors(
        ids=np.array([f"{names[c]},{k}" for c, k in zip(clip, within, strict=True)], dtype=str),
        clip=clip,
        clip_ids=names,
        video=ordered.video,
        second=ordered.second,
        box=ordered.box.astype(np.float32),
        box_score=ordered.score.astype(np.float32),
        labels=ordered.labels,
        labelled=(np.ones(len(order), dtype=bool) if labelled is None else labelled[order]),
        features=np.zeros((len(order), 0), dtype=np.float32) if features is None else features[order],
        truth_clip=true_clip[true_order],
        truth_box=truth.box[true_order].astype(np.float32),
        truth_labels=truth.labels[true_order],
        unit=ordered.video,
        oracle={key: value[order] for key, value in (oracle or {}).items()},
    )


def _clips(instances: BoxTable, truth: BoxTable) -> tuple[list[tuple[str, float]], np.ndarray]:
    """The key frames in order, and the place among them of every row of ``instances`` followed by ``truth``."""
    video = np.concatenate([instances.video, truth.video])
    second = np.concatenate([instances.second, truth.second])
    names, video_index = np.unique(video, return_inverse=True)
    keys, places = np.unique(np.stack([video_index.astype(np.float64), second], axis=1), axis=0, return_inverse=True)
    return [(str(names[int(v)]), float(s)) for v, s in keys], places.reshape(-1)


def frame_precision(
    actors: Actors,
    scores: np.ndarray,
    protocol: SpatialProtocol = AVA,
    pixels: tuple[int, int] | None = None,
) -> SpatialResult:
    """Frame mAP of class scores (N, C) of all instances against the truth of their clips; its units are videos.

    Every score of every box is a detection, but for boxes that have no score above 0 in any class. With ``pixels``, the
    pictures' width and height, boxes are compared in whole pixels.
    """
    videos = np.array([name.rsplit(",", 1)[0] for name in actors.clip_ids.tolist()], dtype=str)
    unit = np.unique(videos, return_inverse=True)[1]
    scale = np.ones(4) if pixels is None else np.tile(np.asarray(pixels, dtype=np.float64), 2)
    truth_box, box = (np.asarray(boxes, dtype=np.float64) * scale for boxes in (actors.truth_box, actors.box))
    if pixels is not None:
        truth_box, box = np.round(truth_box), np.round(box)
    row, label = np.nonzero(actors.truth_labels)
    truth = Boxes(actors.truth_clip[row], label, truth_box[row])
    shown, classes = np.flatnonzero((scores > 0).any(axis=1)), scores.shape[1]
    rows = np.repeat(shown, classes)
    found = Boxes(actors.clip[rows], np.tile(np.arange(classes), len(shown)), box[rows], scores[shown].reshape(-1))
    return frame_map(truth, found, protocol, unit_of_frame=unit)


def head_and_tail(counts: np.ndarray) -> dict[str, list[int]]:
    """Class indices in two groups: the most frequent third, and the others."""
    order = np.argsort(-counts, kind="stable")
    cut = -(-len(counts) // 3)
    return {"head": sorted(order[:cut].tolist()), "tail": sorted(order[cut:].tolist())}


def task_data(
    name: str, task: str, classes: Iterable[str], samples: Mapping[str, Actors], facts: Mapping[str, Any]
) -> TaskData[Actors]:
    """The three splits of ``samples`` by name as one dataset."""
    train, validation, test = (samples[split] for split in ("train", "validation", "test"))
    return TaskData(name, task, tuple(classes), train, validation, test, facts=facts)


def withhold_labels(data: TaskData[Actors], dials: Mapping[str, Any]) -> TaskData[Actors]:
    """Leave labels to a share ``labelled`` of the training units and take them from the others.

    ``labelled_unit`` is ``video`` (as annotators work) or ``clip``; ``discarded`` says whether the clips that lose
    their labels join the unlabelled ones (``unlabelled``) or leave the training set (``drop``): then the unlabelled
    clips are the same at every share. Clips that never had labels stay as they are. One unit at least keeps its labels.
    The facts gain ``missing_classes``: names of classes that nobody with labels shows any more.
    """
    train = data.train
    had = np.zeros(len(train.clip_ids), dtype=bool)
    had[train.clip[train.labelled]] = True
    owners = np.array([name.rsplit(",", 1)[0] for name in train.clip_ids], dtype=str)
    unit = owners if dials["labelled_unit"] == "video" else train.clip_ids
    candidates = np.unique(unit[had])
    count = max(1, round(float(dials["labelled"]) * len(candidates)))
    chosen = np.random.default_rng(int(dials["split_seed"])).permutation(candidates)[:count]
    keeps = had & np.isin(unit, chosen)
    known = train.labels[train.labelled]
    missing = missing_classes(known, keeps[train.clip[train.labelled]])
    facts = {**data.facts, "missing_classes": [data.classes[c] for c in missing]}
    train = replace(train, labelled=train.labelled & keeps[train.clip])
    if dials["discarded"] == "drop":
        train = train.take(np.flatnonzero(keeps | ~had))
    return replace(data, train=train, facts=facts)
