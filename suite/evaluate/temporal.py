"""Temporal action detection: mean average precision over tIoU thresholds, matched once, re-scored at will.

Convention (ActivityNet's tool, which THUMOS-14 work uses too; every deviation is a switch of
:class:`~suite.evaluate.protocols.TemporalProtocol`): inside a class, detections in descending score; each takes the
not yet taken ground truth of its video with the highest tIoU, if that reaches the threshold, else it is a false
positive; thresholds do not know of each other; AP is the area under the precision envelope; mAP averages the classes
that occur in the ground truth. Detections in videos without ground truth are false positives. Equal scores rank in an
order scrambled from video, start and end, which favours none (by video, those that the truth knows would come first);
equal tIoUs take the ground truth that starts (then ends) first: the order of rows in a file never matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from suite.errors import UsageError
from suite.evaluate.kernels import IGNORED, match_by_detection, match_by_truth, touches
from suite.evaluate.lookup import distinct, group_rows, grouped_by, pair_keys, positions, ranked_rows
from suite.evaluate.protocols import ACTIVITYNET, TemporalProtocol
from suite.evaluate.ranking import RankedMatches, mean_over_present, ranked_matches
from suite.evaluate.segments import Bools, Floats, Ints, Segments, Verdicts, required_score, without_duplicates


@dataclass(frozen=True)
class TemporalResult:
    """Scores of one set of detections.

    Attributes:
        ap: (T, C) average precision.
        classes: (C,) labels, those of the ground truth, ascending.
        tiou: (T,) thresholds.
        map_per_tiou: (T,) mean over classes.
        average_map: mean over thresholds.
        num_truth: ground truths that count.
        matches: the ranked verdicts, for bootstraps and diagnosis.
    """

    ap: Floats
    classes: Ints
    tiou: Floats
    map_per_tiou: Floats
    average_map: float
    num_truth: int
    matches: RankedMatches


def temporal_map(
    truth: Segments,
    predictions: Segments,
    protocol: TemporalProtocol = ACTIVITYNET,
    videos: ArrayLike | None = None,
    ambiguous: Segments | None = None,
) -> TemporalResult:
    """Score detections. Arguments and errors as :func:`match_segments`.

    >>> truth = Segments(video=[0], label=[3], start=[2.0], end=[7.0])
    >>> found = Segments(video=[0], label=[3], start=[2.0], end=[6.0], score=[0.9])
    >>> temporal_map(truth, found, ACTIVITYNET.at(0.5, 0.9)).map_per_tiou.tolist()
    [1.0, 0.0]
    """
    matches = match_segments(truth, predictions, protocol, videos, ambiguous)
    ap = matches.average_precision()
    per_tiou = mean_over_present(ap)
    return TemporalResult(
        ap, matches.classes, matches.thresholds, per_tiou, float(per_tiou.mean()), len(matches.truth_row), matches
    )


def match_segments(
    truth: Segments,
    predictions: Segments,
    protocol: TemporalProtocol = ACTIVITYNET,
    videos: ArrayLike | None = None,
    ambiguous: Segments | None = None,
) -> RankedMatches:
    """Match detections to ground truth at every threshold of the protocol.

    Args:
        truth: G annotations.
        predictions: N scored detections.
        protocol: the switches.
        videos: ids of the videos that take part (rows of others are dropped); None takes all that occur.
        ambiguous: segments that the protocol may forgive; their labels are not looked at.

    Raises:
        UsageError: no score column, NaN scores, or (``unknown_labels="error"``) a detection of a class without
            ground truth.
    """
    required_score(predictions)
    truth_row = counted_truth(truth, protocol, videos)
    counted = truth.take(truth_row)
    classes = distinct(counted.label)
    rows = counted_predictions(predictions, classes, protocol, videos)
    if ambiguous is not None and protocol.ambiguous == "drop":
        rows = rows[~near_ambiguous(predictions.take(rows), ambiguous)]
    rows, found = _ranked(rows, predictions, protocol)
    verdict = _verdicts(counted, found, protocol)
    if ambiguous is not None and protocol.ambiguous == "forgive":
        verdict[(verdict < 0) & near_ambiguous(found, ambiguous)] = IGNORED
    return ranked_matches(
        verdict,
        classes=classes,
        row=rows,
        label=found.label,
        score=required_score(found),
        unit=found.video,
        truth_row=truth_row,
        truth_label=counted.label,
        truth_unit=counted.video,
        thresholds=protocol.tiou,
        units=None if videos is None else np.asarray(videos, dtype=np.int64),
        interpolation=protocol.interpolation,
    )


def near_ambiguous(segments: Segments, ambiguous: Segments) -> Bools:
    """(N,) whether a segment shares any time with an ambiguous segment of its video."""
    marked = ambiguous.take(np.argsort(ambiguous.video, kind="stable"))
    low, high = group_rows(segments.video, marked.video)
    return touches(low, high, segments.start, segments.end, marked.start, marked.end)


def counted_truth(truth: Segments, protocol: TemporalProtocol, videos: ArrayLike | None) -> Ints:
    """Rows of the annotations that count, sorted by label, video, start, end: the order that decides equal tIoUs."""
    keep = np.ones(len(truth), dtype=bool) if videos is None else np.isin(truth.video, videos)
    if protocol.duplicate_tolerance is not None:
        keep &= without_duplicates(truth, protocol.duplicate_tolerance)
    if protocol.min_truth_length > 0.0:
        keep &= truth.length >= protocol.min_truth_length
    rows = np.flatnonzero(keep)
    kept = truth.take(rows)
    return rows[np.lexsort((kept.end, kept.start, kept.video, kept.label))]


def counted_predictions(
    predictions: Segments, classes: Ints, protocol: TemporalProtocol, videos: ArrayLike | None
) -> Ints:
    """Rows of the detections that count.

    Raises:
        UsageError: classes without ground truth, where the protocol forbids them.
    """
    keep = positions(predictions.label, classes) >= 0
    if protocol.unknown_labels == "error" and not keep.all():
        unknown = np.unique(predictions.label[~keep]).tolist()
        raise UsageError(
            f"{int((~keep).sum())} predictions have labels without ground truth ({unknown}): "
            f"drop them or use a protocol that ignores unknown labels instead of '{protocol.name}'"
        )
    if videos is not None:
        keep &= np.isin(predictions.video, videos)
    if protocol.min_prediction_length is not None:
        keep &= predictions.length >= protocol.min_prediction_length
    return np.flatnonzero(keep)


def _ranked(rows: Ints, predictions: Segments, protocol: TemporalProtocol) -> tuple[Ints, Segments]:
    """The rows best first inside each class, and what they hold.

    Rows are brought together class by class before they are ranked: random access stays inside a class, which keeps
    millions of rows from missing the processor's cache.
    """
    rows = rows[grouped_by(predictions.label[rows])]
    grouped = predictions.take(rows)
    fair = protocol.ties == "fair"
    ties = (grouped.video, grouped.start, grouped.end) if fair else (-rows,)
    order = ranked_rows(np.arange(len(rows)), grouped.label, required_score(grouped), ties, shuffled=fair)
    return rows[order], grouped.take(order)


def _verdicts(counted: Segments, found: Segments, protocol: TemporalProtocol) -> Verdicts:
    """(T, N) row of ``counted`` matched by each ranked detection, or FALSE_POSITIVE."""
    thresholds = np.asarray(protocol.tiou, dtype=np.float64)
    truth_key, found_key = pair_keys(counted.label, counted.video, found.label, found.video)
    if protocol.matching == "truth":
        members = np.argsort(found_key, kind="stable")
        low, high = group_rows(truth_key, found_key[members])
        return match_by_truth(
            counted.start, counted.end, low, high, members, found.start, found.end, thresholds, protocol.strict
        )
    low, high = group_rows(found_key, truth_key)
    take_first = protocol.matching == "first"
    return match_by_detection(
        counted.start, counted.end, low, high, found.start, found.end, thresholds, protocol.strict, take_first
    )
