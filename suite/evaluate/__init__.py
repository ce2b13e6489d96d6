"""Exact, fast evaluators of action recognition, localization and detection: pure functions on NumPy columns.

    truth = Segments(video=video, label=label, start=start, end=end)
    found = Segments(video=v, label=c, start=s, end=e, score=p)
    print(temporal_map(truth, found, THUMOS_210).average_map)

Every convention is pinned in the module that implements it and every deviation is a switch of a protocol. Nothing here
imports training code; modules load on first use, so importing this package costs nothing.

- ``segments``, ``boxes``: the columns. ``protocols``: the switches, and the named protocols of the field.
- ``temporal``: mAP over tIoU. ``proposals``: recall at k x ground truth, AR@AN. ``spatial``, ``tubes``: frame and
video mAP. - ``multilabel``: label sets. ``segmentation``: frame accuracy, edit score, F1@k. - ``suppression``: NMS
and friends. ``diagnosis``, ``snippets``: where errors come from. - ``ranking``: matched once, re-scored at will.
``resampling``, ``significance``: intervals, paired differences, Holm.
"""

from __future__ import annotations

# ruff: noqa: F401
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers see; __getattr__ below gives the same names on first use
    from suite.evaluate.boxes import Boxes, Tubes
    from suite.evaluate.diagnosis import (
        characteristics,
        error_types,
        false_negative_profile,
        false_positive_profile,
        missed,
        normalized_map,
    )
    from suite.evaluate.proposals import RecallCurve, average_recall, recall_at_multiples
    from suite.evaluate.protocols import (
        ACTIONFORMER,
        ACTIVITYNET,
        AVA,
        BASNET,
        THUMOS_210,
        THUMOS_212,
        THUMOS_213,
        UCF_ALL_FRAMES,
        UCF_ANNOTATED,
        SpatialProtocol,
        TemporalProtocol,
        spatial_protocol,
        temporal_protocol,
    )
    from suite.evaluate.ranking import RankedMatches
    from suite.evaluate.resampling import (
        Difference,
        Interval,
        bootstrap,
        mean_statistic,
        paired_bootstrap,
        resample_weights,
    )
    from suite.evaluate.segmentation import edit_score, f1_at, frame_accuracy
    from suite.evaluate.segments import Segments, index_names, tiou
    from suite.evaluate.significance import holm, pooled_deviation, smallest_detectable_difference, summarize
    from suite.evaluate.snippets import SnippetCounts, covered, snippet_counts
    from suite.evaluate.spatial import SpatialResult, frame_map, match_frames
    from suite.evaluate.suppression import best_rows, hard_nms, one_shot_decay, soft_nms, video_class_groups, vote
    from suite.evaluate.temporal import TemporalResult, match_segments, temporal_map
    from suite.evaluate.tubes import match_tubes, video_map

_HOME = {
    "resampling": ("Difference", "Interval", "bootstrap", "mean_statistic", "paired_bootstrap", "resample_weights"),
    "boxes": ("Boxes", "Tubes"),
    "diagnosis": (
        "characteristics",
        "error_types",
        "false_negative_profile",
        "false_positive_profile",
        "missed",
        "normalized_map",
    ),
    "proposals": ("RecallCurve", "average_recall", "recall_at_multiples"),
    "protocols": (
        "ACTIONFORMER",
        "ACTIVITYNET",
        "AVA",
        "BASNET",
        "THUMOS_210",
        "THUMOS_212",
        "THUMOS_213",
        "UCF_ALL_FRAMES",
        "UCF_ANNOTATED",
        "SpatialProtocol",
        "TemporalProtocol",
        "spatial_protocol",
        "temporal_protocol",
    ),
    "ranking": ("RankedMatches",),
    "segmentation": ("edit_score", "f1_at", "frame_accuracy"),
    "segments": ("Segments", "index_names", "tiou"),
    "significance": ("holm", "pooled_deviation", "smallest_detectable_difference", "summarize"),
    "snippets": ("SnippetCounts", "covered", "snippet_counts"),
    "spatial": ("SpatialResult", "frame_map", "match_frames"),
    "suppression": ("best_rows", "hard_nms", "one_shot_decay", "soft_nms", "video_class_groups", "vote"),
    "temporal": ("TemporalResult", "match_segments", "temporal_map"),
    "tubes": ("match_tubes", "video_map"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_MODULE)


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE})
