"""Exact, fast evaluators of action recognition, localization and detection: pure functions on NumPy columns.

A video with two annotated segments; three are predicted: the first exactly, one where nothing is, the second late.

>>> from suite.evaluate import THUMOS_213, Segments, temporal_map
>>> truth = Segments(video=[0, 0], label=[0, 0], start=[0, 20], end=[10, 30])
>>> found = Segments([0, 0, 0], [0, 0, 0], start=[0, 50, 24], end=[10, 60, 34], score=[0.9, 0.8, 0.7])
>>> temporal_map(truth, found, THUMOS_213.at(0.3, 0.5)).map_per_tiou.round(3).tolist()
[0.833, 0.5]

Every convention is stated in the module that implements it and every deviation is a switch of a protocol. Nothing here
imports training code; modules load on first use, so importing this package costs nothing.

- ``segments``, ``boxes``: the columns. ``protocols``: the switches, and the named protocols of the field.
- ``temporal``: mAP over tIoU. ``proposals``: recall at k x ground truth, AR@AN. ``spatial``, ``tubes``: frame and
  video mAP; ``linking``: tubes from boxes. ``multilabel``: label sets; ``thresholds``: where to cut their scores.
  ``segmentation``: frame accuracy, edit score, F1@k.
- ``suppression``: NMS and its variants. ``diagnosis``, ``snippets``: where errors come from.
- ``ranking``: matched once, scored again under any weights. ``resampling``, ``significance``: intervals, paired
  differences, Holm.
"""

from __future__ import annotations

# ruff: noqa: F401
import ast
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suite.evaluate.boxes import Boxes, Tubes
    from suite.evaluate.diagnosis import (
        characteristics,
        error_types,
        false_negative_profile,
        false_positive_profile,
        missed,
        normalized_map,
    )
    from suite.evaluate.linking import Linking, link_boxes
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
    from suite.evaluate.thresholds import SetCurve, count_threshold, set_curve
    from suite.evaluate.tubes import match_tubes, video_map

# Each name is listed once, above: from there comes where it is loaded from when it is first used.
_MODULE = {
    alias.name: str(node.module)
    for node in ast.walk(ast.parse(Path(__file__).read_text(encoding="utf-8")))
    if isinstance(node, ast.ImportFrom) and str(node.module).startswith("suite.evaluate.")
    for alias in node.names
}

__all__ = sorted(_MODULE)


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE})
