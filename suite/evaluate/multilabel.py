"""Multi-label recognition: what one label set a clip is worth against the scores of a classifier.

All functions take scores (N, C) (any monotone scale, unless a threshold is involved) and ``truth`` (N, C) multi-hot,
and compute in float64: in float32 a sigmoid saturates at 1 and ties scores that differ. Conventions are those of the
metrics of "An Action Is Worth Multiple Words" (BMVC 2022): example-based means over clips, equal scores ranked by
class index.

``known`` (N, C) bool says whose truth is known, where not all of it is; unknown is not negative. Entries that are not
known take no part: a clip's classes are ranked and thresholded among its known ones, the AP of a class is that of the
clips in which it is known. A clip with unknown entries none of whose known classes is present has no label to be found:
its value is NaN, and means leave it out. Without ``known`` a NaN in the truth is an error.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from suite.errors import UsageError
from suite.evaluate import multilabel_kernels as kernels
from suite.evaluate.segments import Bools, Floats

_CACHED = 1 << 15


def _pair(scores: ArrayLike, truth: ArrayLike, known: ArrayLike | None = None) -> tuple[Floats, Bools]:
    """Scores, -inf where the truth is unknown, and the labels that are known to be present."""
    values, labels = np.asarray(scores, dtype=np.float64), np.asarray(truth)
    present = labels if labels.dtype == bool else labels > 0
    if values.shape != present.shape or values.ndim != 2:
        raise UsageError(f"scores {values.shape} and truth {present.shape} must both be (clips, classes)")
    if np.isnan(values.min(initial=np.inf)):
        raise UsageError(f"{int(np.isnan(values).sum())} of the scores are not numbers: they have no rank")
    if known is None:
        if labels.dtype.kind == "f" and (unsaid := int(np.isnan(labels).sum())):
            raise UsageError(f"{unsaid} entries of the truth are NaN: say with known=... which entries are known")
        return values, present
    said = np.asarray(known, dtype=bool)
    if said.shape != present.shape:
        raise UsageError(f"known {said.shape} and truth {present.shape} must both be (clips, classes)")
    return np.where(said, values, -np.inf), present & said


def _per_clip(values: ArrayLike, present: Bools, known: ArrayLike | None) -> Floats:
    """(N,) ``values``; NaN for clips without :func:`has_value`."""
    column = np.asarray(values, dtype=np.float64)
    return column if known is None else np.where(has_value(present, known), column, np.nan)


def has_value(truth: ArrayLike, known: ArrayLike) -> Bools:
    """(N,) clips that have a known label, or of which all is known: a mask without gaps then changes no metric."""
    return np.asarray((np.asarray(truth) > 0).any(axis=1) | np.asarray(known, dtype=bool).all(axis=1))


def probabilities(logits: ArrayLike) -> Floats:
    """Sigmoid in float64, without overflow; exactly 0.5 at 0."""
    values = np.asarray(logits, dtype=np.float64)
    flat, found = values.reshape(-1), np.empty(values.size)
    for first in range(0, len(flat), _CACHED):  # what is computed on the way stays in the processor's cache
        part, out = flat[first : first + _CACHED], found[first : first + _CACHED]
        small = np.abs(part)
        np.exp(np.negative(small, out=small), out=small)
        np.maximum(small, part >= 0, out=out)  # 1 for what is not negative, exp(-|x|), at most 1, for the others
        np.divide(out, np.add(small, 1.0, out=small), out=out)
    return found.reshape(values.shape)


def top1_hits(scores: ArrayLike, truth: ArrayLike, known: ArrayLike | None = None) -> Floats:
    """(N,) 1 where the class with the highest score (the lowest index among equals) is one of the clip's labels."""
    values, present = _pair(scores, truth, known)
    return _per_clip(present[np.arange(len(values)), values.argmax(axis=1)], present, known)


def top1_accuracy(scores: ArrayLike, truth: ArrayLike, known: ArrayLike | None = None) -> float:
    """Top-1 multi-label accuracy: mean of :func:`top1_hits`."""
    return _mean(top1_hits(scores, truth, known))


def top_set_shares(scores: ArrayLike, truth: ArrayLike, known: ArrayLike | None = None) -> Floats:
    """(N,) share of a clip's k labels among its k best classes (Wray & Damen 2019)."""
    values, present = _pair(scores, truth, known)
    count = present.sum(axis=1)
    return _per_clip(kernels.labels_among_best(values, present, count) / np.maximum(count, 1), present, known)


def top_set_accuracy(scores: ArrayLike, truth: ArrayLike, known: ArrayLike | None = None) -> float:
    """Top-set multi-label accuracy: mean of :func:`top_set_shares`."""
    return _mean(top_set_shares(scores, truth, known))


def recall_shares(scores: ArrayLike, truth: ArrayLike, k: int, known: ArrayLike | None = None) -> Floats:
    """(N,) share of a clip's labels among its ``k`` best classes: of a single label, whether it is one of them."""
    values, present = _pair(scores, truth, known)
    found = kernels.labels_among_best(values, present, np.full(len(values), k))
    return _per_clip(found / np.maximum(present.sum(axis=1), 1), present, known)


def recall_at(scores: ArrayLike, truth: ArrayLike, k: int, known: ArrayLike | None = None) -> float:
    """Mean of :func:`recall_shares`."""
    return _mean(recall_shares(scores, truth, k, known))


def top_any_accuracy(scores: ArrayLike, truth: ArrayLike) -> float:
    """Share of clips with at least one of their k labels among their k best classes."""
    values, present = _pair(scores, truth)
    return _mean(kernels.labels_among_best(values, present, present.sum(axis=1)) > 0)


def iou_per_clip(scores: ArrayLike, truth: ArrayLike, threshold: float = 0.5, known: ArrayLike | None = None) -> Floats:
    """(N,) |P and Y| / |P or Y| with P = classes whose score reaches the threshold; 0 where P is empty.

    Scores must be on the threshold's scale: pass :func:`probabilities` of logits.
    """
    values, present = _pair(scores, truth, known)
    shared, predicted, labels = kernels.set_sizes(values, present, threshold)
    union = predicted + labels - shared
    return _per_clip(shared / np.maximum(union, 1), present, known)


def f1_per_clip(scores: ArrayLike, truth: ArrayLike, threshold: float = 0.5, known: ArrayLike | None = None) -> Floats:
    """(N,) 2 |P and Y| / (|P| + |Y|), example-based; 0 where P is empty."""
    values, present = _pair(scores, truth, known)
    shared, predicted, labels = kernels.set_sizes(values, present, threshold)
    return _per_clip(2 * shared / np.maximum(predicted + labels, 1), present, known)


def iou_accuracy(scores: ArrayLike, truth: ArrayLike, threshold: float = 0.5, known: ArrayLike | None = None) -> float:
    """Mean of :func:`iou_per_clip` (Sorower 2010)."""
    return _mean(iou_per_clip(scores, truth, threshold, known))


def f1_measure(scores: ArrayLike, truth: ArrayLike, threshold: float = 0.5, known: ArrayLike | None = None) -> float:
    """Mean of :func:`f1_per_clip`; neither micro nor macro over classes."""
    return _mean(f1_per_clip(scores, truth, threshold, known))


def class_average_precision(scores: ArrayLike, labels: ArrayLike, missed: int = 0) -> float:
    """AP of one class: scores (N,), labels (N,) 0/1, and ``missed`` positives that got no score.

    Distinct score values are the operating points (equal scores enter together); precision is replaced by the best
    at any lower score; the area is the sum of recall step times that precision. -1 when there is no positive.
    """
    return float(average_precision(np.asarray(scores)[:, None], np.asarray(labels)[:, None], missed)[0])


def average_precision(scores: ArrayLike, truth: ArrayLike, missed: int = 0, known: ArrayLike | None = None) -> Floats:
    """(C,) AP of each class as in :func:`class_average_precision`; -1 for classes without a positive."""
    values, present = _pair(scores, truth, known)
    unknown = np.zeros(values.shape[1], dtype=np.int64)
    if known is not None:
        unknown += (~np.asarray(known, dtype=bool)).sum(axis=0)
    found, first = kernels.of_positives(values, present)
    for low, high in pairwise(first):
        found[low:high].sort()
    return np.asarray(kernels.areas(np.ascontiguousarray(values.T), found, first, unknown, missed))


def mean_average_precision(
    scores: ArrayLike, truth: ArrayLike, min_positives: int = 1, known: ArrayLike | None = None
) -> float:
    """Mean AP over classes with at least ``min_positives`` positives; NaN when there is none."""
    areas = average_precision(scores, truth, known=known)
    return mean_area(areas[_pair(scores, truth, known)[1].sum(axis=0) >= min_positives])


def mean_area(areas: Floats) -> float:
    """Mean of the AP (C,) of the classes that have a positive; NaN when there is none."""
    known = areas[areas >= 0]
    return float(known.mean()) if len(known) else float("nan")


def _group_mask(classes: ArrayLike, count: int) -> Bools:
    mask = np.zeros(count, dtype=bool)
    mask[np.asarray(classes, dtype=np.int64)] = True
    return mask


def grouped_top1(scores: ArrayLike, truth: ArrayLike, classes: ArrayLike, known: ArrayLike | None = None) -> float:
    """Top-1 inside a group of classes: over clips with a label in it, share whose best class is a label in it."""
    values, present = _pair(scores, truth, known)
    inside = present & _group_mask(classes, present.shape[1])
    concerned = inside.any(axis=1)
    return _mean(top1_hits(values, inside)[concerned])


def grouped_top_any(scores: ArrayLike, truth: ArrayLike, classes: ArrayLike) -> float:
    """As :func:`grouped_top1` with the clip's k best classes, k counting all its labels."""
    values, present = _pair(scores, truth)
    inside = present & _group_mask(classes, present.shape[1])
    found = kernels.labels_among_best(values, inside, present.sum(axis=1))
    return _mean((found > 0)[np.any(inside, axis=1)])


def clips_inside(truth: ArrayLike, classes: ArrayLike, known: ArrayLike | None = None) -> Bools:
    """(N,) clips all of whose known labels lie in the group; the others take no part in grouped IoU and F1."""
    present = np.asarray(truth) > 0 if known is None else (np.asarray(truth) > 0) & np.asarray(known, dtype=bool)
    outside = present[:, ~_group_mask(classes, present.shape[1])]
    return np.asarray(present.any(axis=1) & ~outside.any(axis=1))


def grouped_iou(
    scores: ArrayLike, truth: ArrayLike, classes: ArrayLike, threshold: float = 0.5, known: ArrayLike | None = None
) -> float:
    """IoU accuracy over :func:`clips_inside` the group; NaN when there is no such clip."""
    return _mean(iou_per_clip(scores, truth, threshold, known)[clips_inside(truth, classes, known)])


def grouped_f1(
    scores: ArrayLike, truth: ArrayLike, classes: ArrayLike, threshold: float = 0.5, known: ArrayLike | None = None
) -> float:
    """F1 over :func:`clips_inside` the group; NaN when there is no such clip."""
    return _mean(f1_per_clip(scores, truth, threshold, known)[clips_inside(truth, classes, known)])


def single_label_accuracy(scores: ArrayLike, labels: ArrayLike, k: int = 1) -> float:
    """Share of clips whose single label (N,) is among the k best classes."""
    return _mean(_single_hits(scores, labels, k))


def mean_class_accuracy(scores: ArrayLike, labels: ArrayLike) -> float:
    """Mean over the classes that occur of their top-1 recall."""
    hits, wanted = _single_hits(scores, labels, 1), np.asarray(labels, dtype=np.int64)
    counts = np.bincount(wanted)
    return _mean((np.bincount(wanted, hits) / np.maximum(counts, 1))[counts > 0])


def grouped_single_label_accuracy(scores: ArrayLike, labels: ArrayLike, classes: ArrayLike) -> float:
    """Top-1 accuracy over the clips whose single label lies in the group."""
    return _mean(_single_hits(scores, labels, 1)[np.isin(labels, classes)])


def _single_hits(scores: ArrayLike, labels: ArrayLike, k: int) -> Floats:
    values, wanted = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return (order == wanted[:, None]).any(axis=1).astype(np.float64)


def _mean(values: ArrayLike) -> float:
    """Mean of the per-clip values that are numbers; NaN when there is none."""
    column = np.asarray(values, dtype=np.float64)
    column = column[~np.isnan(column)]
    return float(column.mean()) if len(column) else float("nan")
