"""Actor detection: mean average precision of labelled boxes on frames.

Convention (AVA's tool and the PASCAL tool used for UCF101-24): inside a class, each detection looks only at the
ground truth of its frame with the highest IoU; it is a true positive if that IoU reaches the threshold and nobody
claimed the box before,
else a false positive: there is no second choice, unlike temporal detection. AP is the area under the precision
envelope over all frames; a class with ground truth but no detection counts 0, a class without ground truth is NaN
and stays out of the mean. Deviations are switches of :class:`~suite.evaluate.protocols.SpatialProtocol`. Equal
scores rank in an order scrambled from frame and box, which favours none; equal IoUs take the box with the smaller
coordinates: the order of rows matters only under ``order="listing"``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from suite.errors import UsageError
from suite.evaluate.boxes import Boxes
from suite.evaluate.kernels import match_boxes
from suite.evaluate.lookup import distinct, group_rows, pair_keys, positions, ranked_rows
from suite.evaluate.protocols import AVA, SpatialProtocol
from suite.evaluate.ranking import RankedMatches, mean_over_present, ranked_matches
from suite.evaluate.segments import Bools, Floats, Ints
from suite.evaluate.suppression import best_rows


@dataclass(frozen=True)
class SpatialResult:
    """Scores of one set of boxes (or tubes).

    Attributes:
        ap: (C,) average precision; NaN for a class without ground truth.
        classes: (C,) labels, ascending.
        mean_ap: mean over the classes with ground truth.
        true_positives, false_positives: (C,) numbers of detections.
        matches: the ranked verdicts, for bootstraps and diagnosis.
    """

    ap: Floats
    classes: Ints
    mean_ap: float
    true_positives: Ints
    false_positives: Ints
    matches: RankedMatches


def frame_map(
    truth: Boxes,
    detections: Boxes,
    protocol: SpatialProtocol = AVA,
    classes: ArrayLike | None = None,
    excluded_frames: ArrayLike | None = None,
    unit_of_frame: ArrayLike | None = None,
) -> SpatialResult:
    """Frame mAP. Arguments and errors as :func:`match_frames`.

    >>> truth = Boxes(frame=[0], label=[1], box=[[0, 0, 2, 2]])
    >>> found = Boxes(frame=[0, 0], label=[1, 1], box=[[5, 5, 6, 6], [0, 0, 2, 2]], score=[0.9, 0.8])
    >>> frame_map(truth, found).mean_ap
    0.5
    """
    return spatial_result(match_frames(truth, detections, protocol, classes, excluded_frames, unit_of_frame))


def match_frames(
    truth: Boxes,
    detections: Boxes,
    protocol: SpatialProtocol = AVA,
    classes: ArrayLike | None = None,
    excluded_frames: ArrayLike | None = None,
    unit_of_frame: ArrayLike | None = None,
) -> RankedMatches:
    """Match detections to the ground truth of their frame.

    Args:
        truth: G labelled boxes.
        detections: N scored, labelled boxes.
        protocol: the switches.
        classes: labels that take part (a whitelist); None takes those of the ground truth.
        excluded_frames: frames left out of truth and detections (AVA's excluded timestamps).
        unit_of_frame: (largest frame + 1,) what a bootstrap draws for each frame, its video; None draws frames.

    Raises:
        UsageError: detections without scores.
    """
    if detections.score is None:
        raise UsageError("detections have no score column: rank them by giving Boxes(..., score=...)")
    labels = np.unique(truth.label if classes is None else np.asarray(classes, dtype=np.int64))
    truth_row = _counted(truth, labels, excluded_frames, protocol)
    truth_row = truth_row[_box_order(truth, truth_row)]
    rows = _counted(detections, labels, excluded_frames, protocol)
    if protocol.frames == "annotated":
        rows = rows[positions(detections.frame[rows], distinct(truth.frame)) >= 0]
    if protocol.top_per_frame is not None:
        rows = rows[best_rows(detections.score[rows], protocol.top_per_frame, detections.frame[rows])]
    ties = (detections.frame, *detections.box.T)
    rows = ranked_rows(rows, detections.label, detections.score, ties, shuffled=True)
    counted, found = truth.take(truth_row), detections.take(rows)
    order = np.arange(len(rows)) if protocol.order == "score" else np.argsort(rows, kind="stable")
    truth_key, found_key = pair_keys(counted.label, counted.frame, found.label, found.frame)
    low, high = group_rows(found_key, truth_key)
    plus = 1.0 if protocol.pixel_boxes else 0.0
    verdict = match_boxes(counted.box, low, high, found.box, order, protocol.iou, plus)
    unit_of = None if unit_of_frame is None else np.asarray(unit_of_frame, dtype=np.int64)
    return ranked_matches(
        verdict[None],
        classes=labels,
        row=rows,
        label=found.label,
        score=detections.score[rows],
        unit=found.frame if unit_of is None else unit_of[found.frame],
        truth_row=truth_row,
        truth_label=counted.label,
        truth_unit=counted.frame if unit_of is None else unit_of[counted.frame],
        thresholds=[protocol.iou],
    )


def spatial_result(matches: RankedMatches) -> SpatialResult:
    """Read the scores off ranked verdicts at their first threshold."""
    ap = matches.average_precision()[0]
    hits = matches.verdict[0] >= 0
    true = np.bincount(matches.row_class[hits], minlength=len(matches.classes))
    false = np.bincount(matches.row_class[~hits], minlength=len(matches.classes))
    return SpatialResult(ap, matches.classes, float(mean_over_present(ap)), true, false, matches)


def valid_boxes(box: Floats) -> Bools:
    """(N,) boxes with x1 < x2 and y1 < y2."""
    return (box[:, 0] < box[:, 2]) & (box[:, 1] < box[:, 3])


def _counted(boxes: Boxes, labels: Ints, excluded: ArrayLike | None, protocol: SpatialProtocol) -> Ints:
    keep = positions(boxes.label, labels) >= 0
    if excluded is not None:
        keep &= ~np.isin(boxes.frame, excluded)
    if protocol.drop_invalid:
        keep &= valid_boxes(boxes.box)
    return np.flatnonzero(keep)


def _box_order(boxes: Boxes, rows: Ints) -> Ints:
    """Order by label, frame, then corners: what decides between equal IoUs."""
    chosen = boxes.take(rows)
    return np.lexsort((*chosen.box.T[::-1], chosen.frame, chosen.label))
