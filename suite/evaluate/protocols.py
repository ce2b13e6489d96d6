"""How detections are scored, as data: every switch that changes a number has a name and stands in a protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from suite.errors import UsageError, did_you_mean


def linspaced(first: float, last: float, count: int) -> tuple[float, ...]:
    """Thresholds as ``numpy.linspace`` writes them.

    The field's evaluators do, so 0.3 may be 0.30000000000000004 and a tIoU of exactly 0.3 then misses it.
    """
    return tuple(float(value) for value in np.linspace(first, last, count))


@dataclass(frozen=True)
class TemporalProtocol:
    """The switches of temporal detection mAP.

    Attributes:
        tiou: thresholds; a match needs tIoU >= threshold (> if ``strict``).
        matching: who chooses. ``best``: detections by score, each takes the free ground truth of its video and class
            with the highest tIoU (ActivityNet). ``first``: each takes the earliest free one that reaches the threshold
            (W-TALC). ``truth``: each ground truth takes the free detection with the highest tIoU (THUMOS-14 kit).
        interpolation: ``envelope``: area under the precision envelope; ``none``: mean precision at the true positives
            over all positives; ``eleven``: envelope at recalls 0, .1, ..., 1.
        duplicate_tolerance: drop a second annotation of one video and label whose two ends are this close (seconds);
            None keeps all.
        min_truth_length, min_prediction_length: shorter rows are dropped (same unit as the segments).
        ambiguous: what an ambiguous segment does to detections that overlap it: ``count`` nothing, ``forgive`` leaves
            unmatched ones out of the count (THUMOS-14 kit), ``drop`` removes them before matching (W-TALC).
        unknown_labels: ``ignore`` detections of classes without ground truth, or ``error``.
        ties: order of equal scores. ``fair``: scrambled from video, start and end, so that neither the order of rows
            nor a video's place in the truth matters; ``reversed``: last row first, what the official tools'
            ``argsort()[::-1]`` gives on short inputs (on long ones their order differs between machines).
        fold_subset_case: whether "Test" and "test" name one subset.
        excluded_videos: names of videos that do not take part.
        expected_videos: how many videos of a truth then take part; 0 where that depends on the dataset.
    """

    name: str
    tiou: tuple[float, ...]
    matching: Literal["best", "first", "truth"] = "best"
    strict: bool = False
    interpolation: Literal["envelope", "none", "eleven"] = "envelope"
    duplicate_tolerance: float | None = None
    min_truth_length: float = 0.0
    min_prediction_length: float | None = None
    ambiguous: Literal["count", "forgive", "drop"] = "count"
    unknown_labels: Literal["ignore", "error"] = "ignore"
    ties: Literal["fair", "reversed"] = "fair"
    fold_subset_case: bool = True
    excluded_videos: tuple[str, ...] = ()
    expected_videos: int = 0

    def at(self, *tiou: float) -> TemporalProtocol:
        """The same protocol at other thresholds."""
        return replace(self, tiou=tuple(float(value) for value in tiou))

    def selects(self, subset: str, wanted: str) -> bool:
        """Whether a video of ``subset`` belongs to the ``wanted`` subset."""
        return subset.lower() == wanted.lower() if self.fold_subset_case else subset == wanted

    def videos(self, subsets: Mapping[str, str], wanted: str) -> list[str]:
        """Names of the videos that take part: of the wanted subset and not excluded, in the mapping's order."""
        left_out = set(self.excluded_videos)
        return [name for name, subset in subsets.items() if self.selects(subset, wanted) and name not in left_out]


THUMOS_TIOU = linspaced(0.1, 0.9, 9)
"""0.1 ... 0.9: weakly supervised work on THUMOS-14."""
ACTIVITYNET_TIOU = linspaced(0.5, 0.95, 10)
"""0.5, 0.55 ... 0.95."""

ACTIVITYNET = TemporalProtocol("activitynet", ACTIVITYNET_TIOU)
ACTIONFORMER = TemporalProtocol("actionformer", linspaced(0.3, 0.7, 5), duplicate_tolerance=1e-3, min_truth_length=1e-3)
BASNET = TemporalProtocol("basnet", THUMOS_TIOU, unknown_labels="error", fold_subset_case=False)
WTALC = TemporalProtocol("wtalc", THUMOS_TIOU, matching="first", interpolation="none", ambiguous="drop")
THUMOS_KIT = TemporalProtocol(
    "thumos-kit", linspaced(0.1, 0.5, 5), matching="truth", strict=True, interpolation="none", ambiguous="forgive"
)
"""The MATLAB toolkit of the THUMOS-14 challenge. Copies with two AP formulas circulate; this is the one that later work
carries on, :data:`THUMOS_KIT_ELEVEN` the other, which averages the envelope at eleven recalls."""
THUMOS_KIT_ELEVEN = replace(THUMOS_KIT, name="thumos-kit-eleven", interpolation="eleven")

_NO_CLEAR_SEGMENT = "video_test_0001292"
_LEFT_OUT_BY_WEAK_WORK = ("video_test_0000270", _NO_CLEAR_SEGMENT, "video_test_0001496")
THUMOS_210 = TemporalProtocol("thumos-210", THUMOS_TIOU, excluded_videos=_LEFT_OUT_BY_WEAK_WORK, expected_videos=210)
THUMOS_212 = TemporalProtocol("thumos-212", THUMOS_TIOU, excluded_videos=(_NO_CLEAR_SEGMENT,), expected_videos=212)
THUMOS_213 = TemporalProtocol("thumos-213", THUMOS_TIOU, expected_videos=213)

TEMPORAL_PROTOCOLS: dict[str, TemporalProtocol] = {
    protocol.name: protocol
    for protocol in (
        *(ACTIVITYNET, ACTIONFORMER, BASNET, WTALC, THUMOS_KIT, THUMOS_KIT_ELEVEN),
        *(THUMOS_210, THUMOS_212, THUMOS_213),
    )
}


@dataclass(frozen=True)
class SpatialProtocol:
    """The switches of frame mAP for actor detection.

    Attributes:
        iou: overlap that a true positive needs (>=).
        pixel_boxes: the "+1" convention: a box from x1 to x2 is x2 - x1 + 1 wide.
        frames: ``all`` counts detections on frames without ground truth as false positives; ``annotated`` drops them.
        order: who claims a ground truth first inside a frame: ``score``, or ``listing`` (the order of the rows).
        top_per_frame: keep only this many best (box, label) pairs of a frame; None keeps all.
        drop_invalid: leave out boxes with x1 >= x2 or y1 >= y2.
        tubes: which ground-truth tube a detected tube may take: ``free`` the best one left, ``best`` the best of all.
    """

    name: str
    iou: float = 0.5
    pixel_boxes: bool = False
    frames: Literal["all", "annotated"] = "all"
    order: Literal["score", "listing"] = "score"
    top_per_frame: int | None = None
    drop_invalid: bool = True
    tubes: Literal["free", "best"] = "free"


AVA = SpatialProtocol("ava")
AVA_TOP50 = SpatialProtocol("ava-top50", top_per_frame=50)
AVA_LISTING = SpatialProtocol("ava-listing", order="listing")
AVA_LISTED_FRAMES = SpatialProtocol("ava-listed-frames", frames="annotated")
UCF_ANNOTATED = SpatialProtocol("ucf-annotated", pixel_boxes=True, frames="annotated", drop_invalid=False)
UCF_ALL_FRAMES = SpatialProtocol("ucf-all-frames", pixel_boxes=True, drop_invalid=False)

SPATIAL_PROTOCOLS: dict[str, SpatialProtocol] = {
    protocol.name: protocol
    for protocol in (AVA, AVA_TOP50, AVA_LISTING, AVA_LISTED_FRAMES, UCF_ANNOTATED, UCF_ALL_FRAMES)
}


def temporal_protocol(name: str) -> TemporalProtocol:
    """The named protocol of temporal detection; raises :class:`UsageError` when there is none of that name."""
    return _named("temporal", name, TEMPORAL_PROTOCOLS)


def spatial_protocol(name: str) -> SpatialProtocol:
    """The named protocol of actor detection; raises :class:`UsageError` when there is none of that name."""
    return _named("spatial", name, SPATIAL_PROTOCOLS)


P = TypeVar("P")


def _named(kind: str, name: str, known: Mapping[str, P]) -> P:
    if name not in known:
        raise UsageError(f"there is no {kind} protocol '{name}'{did_you_mean(name, known)}")
    return known[name]
