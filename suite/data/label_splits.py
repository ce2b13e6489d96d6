"""Which training samples keep their labels in a semi-supervised split: by ratio and seed, or by a published list.

A split is data: the same ratio, seed and rule always give the same samples, whatever method learns from them. Videos
are drawn whole, clips of actors too. Labels withheld stay in the arrays for evaluation; ``labelled`` says who may look.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from suite.data.samples import Actors, TaskData, Videos
from suite.errors import DataError, UsageError


def choose_labelled(classes: np.ndarray, ratio: float, seed: int, stratified: bool = False) -> np.ndarray:
    """Draw the labelled samples: (N, C) bool class presence -> (N,) bool.

    Uniform: round(ratio * N) samples (halves up), at least one. Stratified: the samples are grouped by their first
    class and every group gives its share, at least one; samples without a class form a group of their own.

    Raises:
        UsageError: a ratio outside (0, 1].
    """
    if not 0 < ratio <= 1:
        raise UsageError(f"labelled={ratio:g} is no share of the training set: use a value above 0, up to 1.")
    count = len(classes)
    generator = np.random.default_rng([seed, count])
    labelled = np.zeros(count, dtype=bool)
    if not stratified:
        labelled[generator.permutation(count)[: _share(ratio, count)]] = True
        return labelled
    first = np.where(classes.any(1), classes.argmax(1), -1)
    for group in np.unique(first):
        rows = np.flatnonzero(first == group)
        labelled[generator.permutation(rows)[: _share(ratio, len(rows))]] = True
    return labelled


def _share(ratio: float, count: int) -> int:
    return max(1, int(np.floor(ratio * count + 0.5)))


def missing_classes(classes: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Class indices that occur in the training set but in no labelled sample: the class-coverage check."""
    return np.flatnonzero(classes.any(0) & ~classes[labelled].any(0))


def with_labelled(data: TaskData, chosen: np.ndarray) -> TaskData:
    """``data`` whose training set is labelled at ``chosen`` only: (V,) videos or (M,) clips of actors.

    The facts gain ``missing_classes``: names of classes that no labelled sample shows.
    """
    train = data.train
    mask = chosen[train.clip] if isinstance(train, Actors) else chosen
    missing = missing_classes(_class_presence(train), chosen)
    facts = {**data.facts, "missing_classes": [data.classes[c] for c in missing]}
    return replace(data, train=replace(train, labelled=mask), facts=facts)


def withhold(data: TaskData, labelled: float, split_seed: int, stratified: bool = False) -> TaskData:
    """``data`` whose training set keeps labels for a share of its samples.

    Only the small ``labelled`` column is new; features stay where they are.

    Raises:
        UsageError: a share outside (0, 1].
    """
    return with_labelled(data, choose_labelled(_class_presence(data.train), labelled, split_seed, stratified))


def _class_presence(train: Videos | Actors) -> np.ndarray:
    """(N, C) bool: classes of each video, or of each clip of actors."""
    if isinstance(train, Videos):
        return train.video_labels
    presence = np.zeros((len(train.clip_ids), train.labels.shape[1]), dtype=bool)
    np.logical_or.at(presence, train.clip, train.labels)
    return presence


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
