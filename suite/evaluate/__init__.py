"""Exact, fast evaluators of action recognition, localization and detection: pure functions on NumPy columns, usable alone.

    truth = Segments(video=video, label=label, start=start, end=end)
    found = Segments(video=v, label=c, start=s, end=e, score=p)
    print(temporal_map(truth, found, THUMOS_210).average_map)

Every convention is pinned in the module that implements it and every deviation is a switch of a protocol. Nothing here
imports training code; modules load on first use, so importing this package costs nothing.

- ``segments``, ``boxes``: the columns. ``protocols``: the switches, and the named protocols of the field.
- ``temporal``: mAP over tIoU. ``proposals``: recall at k x ground truth, AR@AN. ``spatial``, ``tubes``: frame and video mAP.
- ``multilabel``: label sets. ``segmentation``: frame accuracy, edit score, F1@k.
- ``suppression``: NMS and friends. ``diagnosis``, ``snippets``: where errors come from.
- ``ranking``: matched once, re-scored at will. ``bootstrap``, ``significance``: intervals, paired differences, Holm.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suite.evaluate.boxes import Boxes, Tubes
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
    from suite.evaluate.segments import Segments, index_names, tiou
    from suite.evaluate.spatial import SpatialResult, frame_map, match_frames
    from suite.evaluate.suppression import best_rows, hard_nms, one_shot_decay, soft_nms, video_class_groups, vote
    from suite.evaluate.temporal import TemporalResult, match_segments, temporal_map

_HOME = {
    "boxes": ("Boxes", "Tubes"),
    "proposals": ("RecallCurve", "average_recall", "recall_at_multiples"),
    "protocols": (
        *("ACTIONFORMER", "ACTIVITYNET", "AVA", "BASNET", "THUMOS_210", "THUMOS_212", "THUMOS_213"),
        *("UCF_ALL_FRAMES", "UCF_ANNOTATED"),
        *("SpatialProtocol", "TemporalProtocol", "spatial_protocol", "temporal_protocol"),
    ),
    "ranking": ("RankedMatches",),
    "segments": ("Segments", "index_names", "tiou"),
    "spatial": ("SpatialResult", "frame_map", "match_frames"),
    "suppression": ("best_rows", "hard_nms", "one_shot_decay", "soft_nms", "video_class_groups", "vote"),
    "temporal": ("TemporalResult", "match_segments", "temporal_map"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_MODULE)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE})
