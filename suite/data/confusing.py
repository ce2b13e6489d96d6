"""The confusing-twins recipe: every class becomes several that cannot be distinguished.

Confusing-HMDB-102 (An Action Is Worth Multiple Words, BMVC 2022) splits each of C classes in two: a training clip gets
one of them by the toss of a coin, a test clip carries both. Class c has the twins c and c + C. The coin is Python's
generator with the authors' seed, tossed in their order, so that their published labels come out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from suite.errors import DataError

AUTHORS_SEED = 12
HMDB_SPLITS = (1, 2, 3)


class HmdbClip(NamedTuple):
    """A line of an official HMDB-51 split: class number, ``class/name`` without suffix, and its part."""

    label: int
    name: str
    part: str


def toss(labels: Sequence[int], classes: int, coin: Random, copies: int = 2) -> np.ndarray:
    """(N,) one of the ``copies`` twins of each label (N,), in order; the coin is advanced once per label."""
    return np.array([coin.randint(0, copies - 1) * classes + int(label) for label in labels], dtype=np.int64)


def all_twins(labels: np.ndarray, classes: int, copies: int = 2) -> np.ndarray:
    """(N, C · copies) bool: every twin of each label, whichever twin the label is."""
    return np.asarray((np.asarray(labels)[:, None] % classes) == np.tile(np.arange(classes), copies))


def twin_names(classes: Sequence[str], copies: int = 2) -> tuple[str, ...]:
    """Names of the classes: all first twins, then all second ones."""
    return tuple(f"{name} ({chr(ord('a') + copy)})" for copy in range(copies) for name in classes)


def hmdb_classes(folder: Path) -> tuple[str, ...]:
    """The class names of the official split files in ``folder``, alphabetical; :class:`DataError` without any."""
    suffix = f"_test_split{HMDB_SPLITS[0]}.txt"
    classes = tuple(sorted(path.name.removesuffix(suffix) for path in folder.glob(f"*{suffix}")))
    if not classes:
        raise DataError(f"{folder} holds no official split files; unpack the HMDB-51 splits (class{suffix}) there.")
    return classes


def hmdb_split(folder: Path, split: int) -> list[HmdbClip]:
    """Training and test clips of an official split, class by class, in the order of the files' lines."""
    parts = {"1": "train", "2": "test"}
    clips = []
    for label, name in enumerate(hmdb_classes(folder)):
        path = folder / f"{name}_test_split{split}.txt"
        if not path.is_file():
            raise DataError(f"{path} is missing; unpack the official HMDB-51 splits again.")
        for line in path.read_text().splitlines():
            words = line.split()
            if len(words) == 2 and words[1] in parts:
                clips.append(HmdbClip(label, f"{name}/{Path(words[0]).stem}", parts[words[1]]))
    return clips


def confusing_hmdb(folder: Path, seed: int = AUTHORS_SEED) -> Mapping[int, dict[str, int]]:
    """For each official split its training clips with their twin: ``{1: {"brush_hair/…": 51, …}, 2: …, 3: …}``.

    One coin runs through splits 1 to 3, classes in alphabetical order, lines in file order, training lines only.
    """
    coin, classes = Random(seed), len(hmdb_classes(folder))
    labels = {}
    for split in HMDB_SPLITS:
        train = [clip for clip in hmdb_split(folder, split) if clip.part == "train"]
        twins = toss([clip.label for clip in train], classes, coin)
        labels[split] = {clip.name: int(twin) for clip, twin in zip(train, twins)}
    return labels
