"""Boxes of key frames, and assembling them into :class:`Actors`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from suite.tasks.actors.samples import Actors


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
    """The name of a clip: video and second of its key frame, to the hundredth where it is not whole."""
    return f"{video},{second:.2f}".removesuffix(".00")


def assemble(
    instances: BoxTable,
    truth: BoxTable | None = None,
    features: np.ndarray | None = None,
    labelled: np.ndarray | None = None,
    oracle: Mapping[str, np.ndarray] | None = None,
) -> Actors:
    """One row per instance, instances of a clip side by side in the given order, clips by video and second.

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


def frequent_and_rare(counts: np.ndarray) -> dict[str, list[int]]:
    """Class indices in two groups: the most frequent third (``head``), and the others (``tail``)."""
    order = np.argsort(-counts, kind="stable")
    cut = -(-len(counts) // 3)
    return {"head": sorted(order[:cut].tolist()), "tail": sorted(order[cut:].tolist())}
