"""The files in which UCF101-24 is annotated: tubes in MATLAB's format, and the list of test videos."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from suite.errors import DataError


@dataclass(frozen=True)
class AnnotatedTubes:
    """Boxes of all tubes, one row per frame of a tube: ``video`` (N,) index into ``videos``, ``frame`` (N,) from 0,
    ``box`` (N, 4) x1 y1 x2 y2 in pixels, ``label`` (N,) from 0; ``classes`` the names, ``count`` how many tubes; the
    rows of tube t are ``offsets[t]:offsets[t + 1]``, in the order of frames."""

    videos: np.ndarray
    classes: tuple[str, ...]
    video: np.ndarray
    frame: np.ndarray
    box: np.ndarray
    label: np.ndarray
    count: int
    offsets: np.ndarray


def read_tubes(path: Path) -> AnnotatedTubes:
    """All tubes of the annotation file; :class:`DataError` when it is not that file or a tube contradicts itself."""
    videos: list[str] = []
    columns: list[np.ndarray] = []
    names: dict[int, str] = {}
    for index, entry in enumerate(_entries(path)):
        name = str(entry["name"].item())
        videos.append(name)
        for tube in np.ravel(entry["tubes"]):
            first, last, label = (int(tube[key].item()) for key in ("sf", "ef", "class"))
            boxes = np.asarray(tube["boxes"], dtype=np.int64)
            if boxes.shape != (last - first + 1, 4):
                found = f"{len(boxes)} boxes for frames {first}-{last}"
                raise DataError(f"{path}: a tube of {name} has {found}; get the file again.")
            names[label] = name.partition("/")[0]
            # MATLAB counts from 1 and includes the last frame.
            frames = np.arange(first - 1, last)
            columns.append(np.column_stack([np.full_like(frames, index), frames, np.full_like(frames, label), boxes]))
    table = np.concatenate(columns) if columns else np.zeros((0, 7), dtype=np.int64)
    corners = np.column_stack([table[:, 3:5], table[:, 3:5] + table[:, 5:7]])
    numbers = sorted(names)
    place = np.asarray(np.searchsorted(numbers, table[:, 2]))
    classes = tuple(names[number] for number in numbers)
    offsets = np.cumsum([0, *map(len, columns)])
    return AnnotatedTubes(np.array(videos), classes, table[:, 0], table[:, 1], corners, place, len(columns), offsets)


def read_test_list(path: Path) -> set[str]:
    """Videos of the test split, ``Class/VIDEO``, with or without a suffix in the file."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return {re.sub(r"\.\w+$", "", line.split()[0]) for line in lines if line.strip()}


def _entries(path: Path) -> np.ndarray:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        return np.asarray(loadmat(path)["annot"]).ravel()
    except (OSError, ValueError, KeyError, NotImplementedError, MatReadError):
        raise DataError(f"{path} is not the MATLAB annotation of UCF101-24; get finalAnnots.mat again.") from None
