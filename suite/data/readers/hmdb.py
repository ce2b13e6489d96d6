"""Confusing-HMDB-102 as its authors publish it: split files with twin labels, TSM features of two modalities.

``train<n>.txt`` and ``test<n>.txt`` start with a line that holds 0 or, where labels are sets, the number of classes;
every other line reads ``class/clip id labels first-frame last-frame``, the labels of a set joined by commas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from suite.data.confusing import HMDB_SPLITS, all_twins, confusing_hmdb, twin_names
from suite.data.readers.two_streams import TwoStreams
from suite.data.reading import Reader
from suite.errors import DataError
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips
from suite.tasks.recognition.single_positive import head_and_tail, one_hot

LABELS = "confusing102_splits_gulp_rgb"
OFFICIAL = "testTrainMulti_7030_splits"
FEATURES = "features/confusing_hmdb_102"
RGB = {1: "features_epoch_0099", 2: "features_epoch_0114", 3: "features_epoch_0107"}
FLOW = {1: "features_epoch_0070", 2: "features_epoch_0064", 3: "features_epoch_0080"}
HELD_OUT = 0.15  # of each class's training clips validate where the test clips must not


class SplitFile(NamedTuple):
    """One split file: ``names`` (N,) ``class/clip``, ``ids`` (N,) int, ``sets`` (N,) tuples of class numbers."""

    names: np.ndarray
    ids: np.ndarray
    sets: list[tuple[int, ...]]


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Clips]:
    """One of the three official splits. The dial ``validation`` says what models are chosen on.

    ``held-out`` cuts whole source videos from the training clips; ``test`` is what the authors did.
    """
    split, on_test = int(dials["split"]), dials["validation"] == "test"
    train, test = (read_split(folder / LABELS / f"{part}{split}.txt") for part in ("train", "test"))
    classes = sorted({name.split("/")[0] for name in train.names.tolist()})
    held_out = np.zeros(len(train.names), dtype=bool) if on_test else _held_out(train.names, split)
    streams = {part: TwoStreams(*feature_files(folder, split, part)) for part in ("train", "val")}
    unit = _units(train.names, test.names)
    everything = np.ones(len(test.names), dtype=bool)
    parts = {
        "train": _clips(train, ~held_out, unit["train"], streams["train"], len(classes), "train"),
        "validation": _clips(train, held_out, unit["train"], streams["train"], len(classes), "validation"),
        "test": _clips(test, everything, unit["test"], streams["val"], len(classes), "test"),
    }
    parts["validation"] = parts["test"] if on_test else parts["validation"]
    facts = {
        "groups": head_and_tail(np.bincount(parts["train"].label, minlength=2 * len(classes))),
        "cardinality": 2.0,
        "complete": ["train", "test"],
        "validation_is_test": on_test,
        "unit": "source video",
    }
    return TaskData.of(card.name, task, twin_names(classes), parts, facts)


def counts(card: DatasetCard, folder: Path, data: TaskData[Clips]) -> dict[str, int | float]:
    """Training labels that differ from those the recipe gives, over all splits (0: the published coin was tossed)."""
    official = folder / OFFICIAL
    if not official.is_dir():
        return {}
    differing = 0
    for split, labels in confusing_hmdb(official).items():
        published = read_split(folder / LABELS / f"train{split}.txt")
        differing += sum(labels.get(name) != found[0] for name, found in zip(published.names, published.sets))
    return {"differing_labels": differing}


def read_split(path: Path) -> SplitFile:
    """Read one split file; raises :class:`DataError` naming the line that is not as published."""
    try:
        _, *lines = path.read_text().splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); unpack the published labels again.") from None
    rows = []
    for number, line in enumerate(lines, start=2):
        match = re.fullmatch(r"(\S+/\S.*) (\d+) ([\d,]+) \d+ \d+", line)
        if match is None:
            raise DataError(f"{path}, line {number}, is not 'class/clip id labels 0 last'; unpack the labels again.")
        rows.append((match[1], int(match[2]), tuple(int(label) for label in match[3].split(","))))
    names, ids, sets = zip(*rows) if rows else ((), (), ())
    return SplitFile(np.array(names), np.array(ids, dtype=np.int64), list(sets))


def source_videos(names: np.ndarray) -> np.ndarray:
    """(N,) ``class/film``: clips are called ``film_class_…``."""
    pairs = [name.split("/", 1) for name in names.tolist()]
    return np.array([f"{label}/{clip.split(f'_{label}_')[0]}" for label, clip in pairs])


def _held_out(names: np.ndarray, split: int) -> np.ndarray:
    """(N,) bool: of each class, whole source videos in random order until a share of its clips is reached."""
    generator, sources = np.random.default_rng([split, 102]), source_videos(names)
    chosen = np.zeros(len(names), dtype=bool)
    labels = np.array([source.split("/")[0] for source in sources.tolist()])
    for label in np.unique(labels):
        wanted = HELD_OUT * (labels == label).sum()
        for source in generator.permutation(np.unique(sources[labels == label])):
            if chosen[labels == label].sum() >= wanted:
                break
            chosen |= sources == source
    return chosen


def _units(train: np.ndarray, test: np.ndarray) -> dict[str, np.ndarray]:
    """Source videos of both parts; names that both hold (``How_to``) are no source, such clips stand alone."""
    sources = {"train": source_videos(train), "test": source_videos(test)}
    both = np.intersect1d(sources["train"], sources["test"])
    names = {"train": train, "test": test}
    return {part: np.where(np.isin(found, both), names[part], found) for part, found in sources.items()}


def _clips(split: SplitFile, rows: np.ndarray, unit: np.ndarray, streams: TwoStreams, classes: int, part: str) -> Clips:
    found = np.flatnonzero(rows)
    label = np.array([split.sets[i][0] for i in found], dtype=np.int64)
    outside = np.flatnonzero(label >= 2 * classes)
    if len(outside):
        name = split.names[found[outside[0]]]
        raise DataError(f"'{name}' ({part}) has label {label[outside[0]]} of {2 * classes}; unpack the labels again.")
    twins = all_twins(label, classes)
    shown = one_hot(label, 2 * classes) if part == "validation" else twins
    features: Any = streams.rows(split.ids[found])
    return Clips(split.names[found], features, label, shown, unit[found], {"complete": twins})


def feature_files(folder: Path, split: int, part: str) -> tuple[Path, Path]:
    if split not in HMDB_SPLITS:
        raise DataError(f"{folder}: HMDB-51 has no split {split}; choose one of 1, 2 and 3.")
    suffix = {"train": "traindata_testmode_oneclip.pkl", "val": "val_oneclip.pkl"}[part]
    rgb = folder / FEATURES / "tsm_resnet50_nopartialbn" / f"split{split}" / f"{RGB[split]}_{suffix}"
    flow = folder / FEATURES / "ch_epic.tsm_resnet50_flow" / f"split{split}" / f"{FLOW[split]}_{suffix}"
    return rgb, flow


READER = Reader(read, counts=counts)
