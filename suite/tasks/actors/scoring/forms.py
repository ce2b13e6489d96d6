"""Scored boxes in AVA's csv: video, second, x1, y1, x2, y2, action id, score, separated by commas or tabs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.tasks.scoring.contents import Contents, label_text, number_fields


@dataclass(frozen=True)
class BoxRows:
    """N scored (box, label) pairs: ``second`` (N,) key-frame time, ``box`` (N, 4) x1 y1 x2 y2."""

    form: str
    video: tuple[str, ...]
    second: np.ndarray
    label: tuple[str, ...]
    box: np.ndarray
    score: np.ndarray


def read_boxes(contents: Contents) -> BoxRows | None:
    """The boxes of a file, or None where it is in another form; :class:`DataError` for a malformed row."""
    if not contents.lines or len(contents.lines[0][1]) != 8:
        return None
    numbers = np.array(number_fields(contents, 8))
    videos, labels = zip(*((row[0], label_text(row[6])) for _, row in contents.lines))
    return BoxRows("AVA csv", videos, numbers[:, 0], labels, numbers[:, 1:5], numbers[:, 6])
