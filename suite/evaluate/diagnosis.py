"""Where a temporal detector goes wrong: DETAD's profiles (Alwassel et al., ECCV 2018).

False positives are typed by the ground truth of ANY class that overlaps them most, false negatives counted in bins
of what the missed action looks like. Both read the verdicts of one matching
(:func:`suite.evaluate.temporal.match_segments`), so they agree with the mAP they explain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from suite.evaluate.kernels import FALSE_POSITIVE, IGNORED, best_of_any
from suite.evaluate.lookup import group_rows
from suite.evaluate.ranking import RankedMatches, mean_over_present
from suite.evaluate.segments import Bools, Floats, Ints, Segments

ERROR_TYPES = ("true positive", "double detection", "wrong label", "localization", "confusion", "background")
TRUE_POSITIVE, DOUBLE_DETECTION, WRONG_LABEL, LOCALIZATION, CONFUSION, BACKGROUND = range(6)
NOT_COUNTED = -1


def error_types(truth: Segments, predictions: Segments, matches: RankedMatches, least: float = 0.1) -> Ints:
    """(T, N) type of each ranked detection at each threshold t, an index into ``ERROR_TYPES``.

    By the best tIoU with any ground truth of the video: >= t double detection (own class) or wrong label (other class);
    [least, t) localization (own) or confusion (other); below ``least`` background. Of equally good ground truths one of
    the own class decides. Ignored detections get NOT_COUNTED.
    """
    counted, found = truth.take(np.sort(matches.truth_row)), predictions.take(matches.row)
    counted = counted.take(np.argsort(counted.video, kind="stable"))
    low, high = group_rows(found.video, counted.video)
    best, own = best_of_any(counted.start, counted.end, counted.label, low, high, found.start, found.end, found.label)
    level = matches.thresholds[:, None]
    kinds = np.where(
        best >= level, np.where(own, DOUBLE_DETECTION, WRONG_LABEL), np.where(own, LOCALIZATION, CONFUSION)
    )
    kinds = np.where(best < np.minimum(least, level), BACKGROUND, kinds)
    kinds = np.where(matches.verdict >= 0, TRUE_POSITIVE, kinds)
    return np.where(matches.verdict == IGNORED, NOT_COUNTED, kinds)


def false_positive_profile(matches: RankedMatches, kinds: Ints, multiples: Iterable[int] = range(1, 11)) -> Ints:
    """(T, K, 6) how many of the best detections are of each type: per class the k * n best, n its ground truths."""
    place = np.arange(len(matches.row)) - matches.offsets[:-1][matches.row_class]
    quota = matches.positives[matches.row_class]
    profile = [
        [np.bincount(level[(place < multiple * quota) & (level >= 0)], minlength=6) for multiple in multiples]
        for level in kinds
    ]
    return np.asarray(profile, dtype=np.int64)


def gains(matches: RankedMatches, kinds: Ints) -> Floats:
    """(T, 6) what normalized mAP would gain if the detections of a type were gone; 0 for true positives."""
    base = normalized_map(matches)
    result = np.zeros((len(kinds), len(ERROR_TYPES)))
    for kind in range(DOUBLE_DETECTION, len(ERROR_TYPES)):
        result[:, kind] = normalized_map(matches.ignoring(kinds == kind)) - base
    return result


def normalized_map(matches: RankedMatches) -> Floats:
    """(T,) mean normalized AP: precision as if every class had the mean number of ground truths."""
    return mean_over_present(matches.average_precision(normalizer=mean_positives(matches)))


def mean_positives(matches: RankedMatches) -> float:
    """Mean number of ground truths over the classes that have any."""
    return float(matches.positives[matches.positives > 0].mean()) if len(matches.truth_row) else 0.0


def missed(matches: RankedMatches, least_precision: float = 0.05) -> Bools:
    """(T, G) ground truths (in the order of ``matches.truth_row``) that no detection found.

    A true positive where the class's normalized precision has fallen to ``least_precision`` or below finds nothing:
    nobody would look that far down the list.
    """
    found = np.zeros((len(matches.verdict), int(matches.truth_row.max(initial=-1)) + 1), dtype=bool)
    normal = mean_positives(matches)
    for level, verdict in enumerate(matches.verdict):
        true, false = (_cumulated(part, matches.offsets) for part in (verdict >= 0, verdict == FALSE_POSITIVE))
        reached = normal * true / np.maximum(matches.positives[matches.row_class], 1)
        precision = np.divide(reached, reached + false, out=np.zeros(len(true)), where=reached > 0)
        found[level, verdict[(verdict >= 0) & (precision > least_precision)]] = True
    return ~found[:, matches.truth_row]


@dataclass(frozen=True)
class Bins:
    """Right-closed bins: value v falls in bin b when edges[b] < v <= edges[b + 1]; values outside go to the nearest."""

    names: tuple[str, ...]
    edges: tuple[float, ...]

    def of(self, values: ArrayLike) -> Ints:
        """(N,) bin of each value."""
        place = np.searchsorted(np.asarray(self.edges), np.asarray(values, dtype=np.float64), side="left") - 1
        return np.clip(place, 0, len(self.names) - 1)


_SIZES, _FEW = ("XS", "S", "M", "L", "XL"), ("XS", "S", "M", "L")
THUMOS_BINS = {
    "coverage": Bins(_SIZES, (0.0, 0.02, 0.04, 0.06, 0.08, 1.0)),
    "length": Bins(_SIZES, (0.0, 3.0, 6.0, 12.0, 18.0, np.inf)),
    "instances": Bins(_FEW, (-1.0, 1.0, 40.0, 80.0, np.inf)),
}
ACTIVITYNET_BINS = {
    "coverage": Bins(_SIZES, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
    "length": Bins(_SIZES, (0.0, 30.0, 60.0, 120.0, 180.0, np.inf)),
    "instances": Bins(_FEW, (-1.0, 1.0, 4.0, 8.0, np.inf)),
}


def characteristics(truth: Segments, durations: ArrayLike | None = None) -> dict[str, Floats]:
    """What DETAD bins by: ``length``, ``instances`` (of the class in the video) and, with durations, ``coverage``.

    ``durations`` (G,) is the duration of the video of each row.
    """
    pairs = np.stack([truth.video, truth.label], axis=1)
    _, group, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    values = {"length": truth.length, "instances": counts[group.reshape(-1)].astype(np.float64)}
    if durations is not None:
        values["coverage"] = truth.length / np.asarray(durations, dtype=np.float64)
    return values


def false_negative_profile(missed_rows: Bools, bins: Ints, count: int) -> tuple[Floats, Ints]:
    """Miss rate (T, K) in each bin (NaN where it is empty) and the number of ground truths (K,) there.

    Args:
        missed_rows: (T, G) from :func:`missed`. bins: (G,) bin of each of those rows. count: K.
    """
    total = np.bincount(bins, minlength=count)
    lost = np.stack([np.bincount(bins, level, minlength=count) for level in missed_rows])
    return np.divide(lost, total, out=np.full(lost.shape, np.nan), where=total > 0), total


def _cumulated(part: Bools, offsets: Ints) -> Ints:
    """Running count inside each class."""
    running = np.cumsum(part)
    before = np.concatenate([[0], running])[offsets[:-1]]
    return running - np.repeat(before, np.diff(offsets))
