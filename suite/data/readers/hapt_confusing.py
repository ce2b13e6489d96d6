"""hapt-confusing-24: windows of HAPT activities, every class split into two twins by the toss of a coin.

The recipe of Confusing-HMDB-102 on data that anyone can have: a training or validation window shows one of its twins, a
test window carries both. Windows lie inside one annotated segment; people are in one split only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random

import numpy as np

from suite.data.confusing import all_twins, toss, twin_names
from suite.data.readers.hapt_signals import Recording, by_split, pure_windows, read_recordings, scale_of, statistics
from suite.data.reading import Reader
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips
from suite.tasks.recognition.single_positive import head_and_tail, one_hot

SPLITS = ("train", "validation", "test")


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Clips]:
    """Windows of the card's length and stride as 36 statistics, standardized by the training users' windows."""
    recordings, classes = read_recordings(folder)
    window, stride = int(card.layout.window or 128), int(card.layout.stride or 64)
    coin = Random(int(dials["coin"]))
    rows = {name: _windows(part, window, stride) for name, part in by_split(recordings).items()}
    mean, deviation = scale_of(rows["train"].features)
    clips = {}
    for name in SPLITS:
        found = rows[name]
        label = toss(found.label.tolist(), len(classes), coin)
        twins = all_twins(label, len(classes))
        shown = one_hot(label, 2 * len(classes)) if name == "validation" else twins
        features = ((found.features - mean) / deviation).astype(np.float32)
        clips[name] = Clips(found.ids, features, label, shown, found.unit, {"complete": twins})
    frequency = np.bincount(clips["train"].label, minlength=2 * len(classes))
    facts = {
        "groups": head_and_tail(frequency),
        "cardinality": 2.0,
        "complete": ["train", "test"],
        "feature_halves": True,
        "unit": "user",
    }
    names = twin_names(classes)
    return TaskData.of(card.name, task, names, clips, facts)


def _windows(recordings: list[Recording], window: int, stride: int) -> Clips:
    """The windows of ``recordings`` with their single, untwinned class."""
    features, labels, ids, users = [], [], [], []
    for recording in recordings:
        starts, label = pure_windows(recording, window, stride)
        pieces = [recording.signals[start : start + window] for start in starts]
        features.append(statistics(np.concatenate(pieces), window, window))
        labels.append(label)
        ids += [f"{recording.name}-{start:06d}" for start in starts]
        users += [f"user-{recording.user:02d}"] * len(starts)
    label = np.concatenate(labels)
    return Clips(np.array(ids), np.concatenate(features), label, label[:, None], np.array(users))


READER = Reader(read)
