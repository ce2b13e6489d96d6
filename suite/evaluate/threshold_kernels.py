"""Compiled loops of the curve of label sets over thresholds (:mod:`suite.evaluate.thresholds`)."""

from __future__ import annotations

import numpy as np

from suite.evaluate.compiling import compiled
from suite.evaluate.segments import Bools, Floats, Ints


@compiled
def steps_by_rank(values: Floats, present: Bools, order: Ints) -> tuple[Floats, Floats, Floats]:
    """(N * C,) each: the scores of a clip in its ``order`` (N, C), and by how much each changes its IoU and its F1."""
    count = values.shape[1]
    level, iou, f1 = np.empty(values.size), np.empty(values.size), np.empty(values.size)
    for clip in range(len(values)):
        labels = 0
        for label in range(count):
            labels += present[clip, label]
        shared, last_iou, last_f1 = 0, 0.0, 0.0
        for rank in range(count):
            label, place = order[clip, rank], clip * count + rank
            shared += present[clip, label]
            now_iou = shared / (rank + 1 + labels - shared)
            now_f1 = 2 * shared / (rank + 1 + labels)
            level[place] = values[clip, label]
            iou[place], f1[place] = now_iou - last_iou, now_f1 - last_f1
            last_iou, last_f1 = now_iou, now_f1
    return level, iou, f1


@compiled
def summed(level: Floats, iou: Floats, f1: Floats, down: Ints, clips: int) -> tuple[Floats, Floats, Floats]:
    """(T,) each: the distinct scores, the highest first, and the sums of steps until each, over the number of clips.

    ``down`` is the order of ``level``. Equal scores enter together; -inf stands for unknown, which is never predicted.
    """
    thresholds, of_iou, of_f1 = np.empty(len(down)), np.empty(len(down)), np.empty(len(down))
    found, sum_iou, sum_f1 = 0, 0.0, 0.0
    for place in range(len(down)):
        now = level[down[place]]
        sum_iou += iou[down[place]]
        sum_f1 += f1[down[place]]
        last = place == len(down) - 1 or level[down[place + 1]] != now
        if last and now > -np.inf:
            thresholds[found], of_iou[found], of_f1[found] = now, sum_iou / clips, sum_f1 / clips
            found += 1
    return thresholds[:found].copy(), of_iou[:found].copy(), of_f1[:found].copy()
