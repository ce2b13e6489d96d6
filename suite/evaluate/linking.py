"""From boxes on frames to tubes: the greedy linking of online detectors (Singh et al., ICCV 2017, section 3.4).

Frame by frame and class by class, tubes in order of their score take the best-scored box of the frame that overlaps
their last one; boxes that nobody takes begin tubes. A tube that finds none in more than ``gap`` frames in a row has
ended. Its score is the mean of its boxes'; boxes of the frames between are interpolated. Boxes are taken as they come
(detectors suppress doubles on each frame), and tubes are not trimmed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.errors import UsageError
from suite.evaluate.boxes import Boxes, Tubes
from suite.evaluate.compiling import compiled
from suite.evaluate.lookup import pair_keys
from suite.evaluate.segments import Floats, Ints


@dataclass(frozen=True)
class Linking:
    """How boxes become tubes.

    Attributes:
        iou: overlap with a tube's last box that its next one needs.
        gap: frames in a row that a tube may miss.
        top: boxes of a frame and class that are looked at, the best.
        shortest: frames that a tube must span to count.
    """

    iou: float = 0.1
    gap: int = 5
    top: int = 10
    shortest: int = 8


def link_boxes(detections: Boxes, video: Ints, linking: Linking = Linking(), plus: float = 0.0) -> Tubes:
    """Tubes of scored boxes (N), of which ``video`` (N,) is the video and ``detections.frame`` the frame inside it.

    ``plus`` is added to widths and heights (the "+1" convention of pixels). Raises :class:`UsageError` without scores.

    >>> boxes = Boxes(frame=[1, 2], label=[0, 0], box=[[0, 0, 4, 4], [1, 0, 5, 4]], score=[0.5, 1.0])
    >>> link_boxes(boxes, np.array([7, 7]), Linking(shortest=1)).score.tolist()
    [0.75]
    """
    if detections.score is None:
        raise UsageError("detections have no score column: tubes are linked by Boxes(..., score=...)")
    order = np.lexsort((*detections.box.T[::-1], -detections.score, detections.frame, detections.label, video))
    found, where = detections.take(order), np.asarray(video, dtype=np.int64)[order]
    score = np.asarray(found.score, dtype=np.float64)
    key = pair_keys(where, found.label, where, found.label)[0]
    tube = _linked(key, found.frame, found.box, score, linking.iou, linking.gap, linking.top, plus)
    members = np.flatnonzero(tube >= 0)
    members = members[np.argsort(tube[members], kind="stable")]
    groups = np.split(members, np.flatnonzero(np.diff(tube[members])) + 1) if len(members) else []
    spans = [rows for rows in groups if found.frame[rows[-1]] - found.frame[rows[0]] + 1 >= linking.shortest]
    boxes = [_filled(found.frame[rows], found.box[rows]) for rows in spans]
    first = np.array([rows[0] for rows in spans], dtype=np.int64)
    return Tubes(
        where[first],
        found.label[first],
        found.frame[first],
        np.cumsum([0, *(len(box) for box in boxes)]),
        np.concatenate([np.zeros((0, 4)), *boxes]),
        np.array([score[rows].mean() for rows in spans]),
    )


def _filled(frame: Ints, box: Floats) -> Floats:
    """(L, 4) the boxes of all frames from the first to the last, between known ones on a straight line."""
    frames = np.arange(frame[0], frame[-1] + 1)
    return np.stack([np.interp(frames, frame, corner) for corner in box.T], axis=1)


@compiled
def _box_overlap(a: Floats, b: Floats, plus: float) -> float:
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + plus)
    tall = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + plus)
    union = (a[2] - a[0] + plus) * (a[3] - a[1] + plus) + (b[2] - b[0] + plus) * (b[3] - b[1] + plus) - wide * tall
    return wide * tall / union if union > 0.0 else 0.0


@compiled
def _linked(key: Ints, frame: Ints, box: Floats, score: Floats, iou: float, gap: int, top: int, plus: float) -> Ints:
    """(N,) number of the tube that each row belongs to, -1 for rows beyond the best ``top`` of their frame.

    Rows are sorted by key (video and class), frame, descending score.
    """
    tube = np.full(len(key), -1, dtype=np.int64)
    last, total, size = np.zeros(len(key), np.int64), np.zeros(len(key)), np.zeros(len(key), np.int64)
    open_from, count, low = 0, 0, 0
    while low < len(key):
        high = low
        while high < len(key) and key[high] == key[low] and frame[high] == frame[low]:
            high += 1
        if low == 0 or key[low] != key[low - 1]:
            open_from = count  # tubes of another video or class are over
        end = min(high, low + top)
        means = np.empty(count - open_from)
        for one in range(open_from, count):
            means[one - open_from] = -total[one] / size[one]
        for place in np.argsort(means, kind="mergesort"):
            one = open_from + place
            if frame[low] - frame[last[one]] - 1 > gap:
                continue
            for row in range(low, end):
                if tube[row] < 0 and _box_overlap(box[last[one]], box[row], plus) >= iou:
                    tube[row], last[one] = one, row
                    total[one] += score[row]
                    size[one] += 1
                    break
        for row in range(low, end):
            if tube[row] < 0:
                tube[row], last[count], total[count], size[count] = count, row, score[row], 1
                count += 1
        low = high
    return tube
