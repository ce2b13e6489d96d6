"""Video mAP: tubes of boxes through time, matched by spatio-temporal overlap.

Overlap of two tubes (Weinzaepfel et al. 2015, as in the tools used for UCF101-24): the mean box IoU over the frames
both cover, times the temporal IoU of their frame ranges. Detections of a class in descending score take the best
ground truth of
their video: the best one still free, or with ``tubes="best"`` the best of all, which fails if it was taken before.
"""

from __future__ import annotations

import numpy as np

from suite.errors import UsageError
from suite.evaluate.boxes import Tubes
from suite.evaluate.compiling import compiled
from suite.evaluate.kernels import FALSE_POSITIVE
from suite.evaluate.lookup import group_rows, pair_keys, ranked_rows
from suite.evaluate.protocols import UCF_ALL_FRAMES, SpatialProtocol
from suite.evaluate.ranking import RankedMatches, ranked_matches
from suite.evaluate.segments import Floats, Ints, Verdicts

VIDEO_THRESHOLDS = (0.2, 0.5, 0.75)
"""IoU thresholds at which video mAP is usually reported."""


def video_map(
    truth: Tubes,
    detections: Tubes,
    thresholds: tuple[float, ...] = VIDEO_THRESHOLDS,
    protocol: SpatialProtocol = UCF_ALL_FRAMES,
) -> Floats:
    """(T,) mAP over the classes of the ground truth at each overlap threshold. Arguments as :func:`match_tubes`."""
    return match_tubes(truth, detections, thresholds, protocol).mean_ap()


def match_tubes(
    truth: Tubes,
    detections: Tubes,
    thresholds: tuple[float, ...] = VIDEO_THRESHOLDS,
    protocol: SpatialProtocol = UCF_ALL_FRAMES,
) -> RankedMatches:
    """Match scored tubes to ground-truth tubes of their video and class.

    ``protocol`` gives the "+1" convention (``pixel_boxes``) and who may be taken (``tubes``).

    Raises:
        UsageError: detections without scores.
    """
    if detections.score is None:
        raise UsageError("detected tubes have no score column: rank them by giving Tubes(..., score=...)")
    classes = np.unique(truth.label)
    rows = np.flatnonzero(np.isin(detections.label, classes))
    ties = (detections.video, detections.first, np.diff(detections.offsets))
    rows = ranked_rows(rows, detections.label, detections.score, ties, shuffled=True)
    truth_row = np.lexsort((truth.first, truth.label, truth.video))
    truth_video, truth_label = truth.video[truth_row], truth.label[truth_row]
    video, label = detections.video[rows], detections.label[rows]
    truth_key, key = pair_keys(truth_video, truth_label, video, label)
    low, high = group_rows(key, truth_key)
    plus = 1.0 if protocol.pixel_boxes else 0.0
    levels = np.asarray(thresholds, dtype=np.float64)
    theirs = (truth.first, truth.offsets, truth.box)
    ours = (detections.first, detections.offsets, detections.box)
    verdict = _match(*theirs, truth_row, low, high, *ours, rows, levels, plus, protocol.tubes == "free", FALSE_POSITIVE)
    return ranked_matches(
        verdict,
        classes=classes,
        row=rows,
        label=label,
        score=detections.score[rows],
        unit=video,
        truth_row=truth_row,
        truth_label=truth_label,
        truth_unit=truth_video,
        thresholds=levels,
    )


@compiled
def tube_overlap(
    first: int,
    box: Floats,
    low: int,
    high: int,
    other_first: int,
    other: Floats,
    other_low: int,
    other_high: int,
    plus: float,
) -> float:
    """Mean box IoU over the common frames times temporal IoU, which is the sum of box IoUs over all frames covered.

    Boxes are ``box[low:high]`` and ``other[other_low:other_high]``.
    """
    begin = max(first, other_first)
    end = min(first + high - low, other_first + other_high - other_low)
    if end <= begin:
        return 0.0
    total = 0.0
    for frame in range(begin, end):
        a, b = box[low + frame - first], other[other_low + frame - other_first]
        wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + plus)
        tall = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + plus)
        union = (a[2] - a[0] + plus) * (a[3] - a[1] + plus) + (b[2] - b[0] + plus) * (b[3] - b[1] + plus) - wide * tall
        if union > 0.0:
            total += wide * tall / union
    covered = (high - low) + (other_high - other_low) - (end - begin)
    return total / covered


@compiled
def _match(
    truth_first: Ints,
    truth_offsets: Ints,
    truth_box: Floats,
    truth_row: Ints,
    low: Ints,
    high: Ints,
    first: Ints,
    offsets: Ints,
    box: Floats,
    rows: Ints,
    thresholds: Floats,
    plus: float,
    only_free: bool,
    missed: int,
) -> Verdicts:
    verdict = np.full((len(thresholds), len(rows)), missed, dtype=np.int32)
    taken = np.zeros((len(thresholds), len(truth_row)), dtype=np.bool_)
    best = np.empty(len(thresholds))
    for place in range(len(rows)):
        row = rows[place]
        best[:] = -1.0
        for rank in range(low[place], high[place]):
            target = truth_row[rank]
            value = tube_overlap(
                first[row], box, offsets[row], offsets[row + 1],
                truth_first[target], truth_box, truth_offsets[target], truth_offsets[target + 1], plus,
            )  # fmt: skip
            for level in range(len(thresholds)):
                if value > best[level] and not (only_free and taken[level, rank]):
                    best[level] = value
                    verdict[level, place] = rank
        for level in range(len(thresholds)):
            choice = verdict[level, place]
            if choice >= 0 and best[level] >= thresholds[level] and not taken[level, choice]:
                taken[level, choice] = True
            else:
                verdict[level, place] = missed
    return verdict
