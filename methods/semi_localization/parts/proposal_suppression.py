"""Suppression of named proposals within each video and class, by the rules of BMN's public codes."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

import numpy as np

from suite.evaluate.segments import Segments, required_score
from suite.evaluate.suppression import groups_of_videos, ranked_groups, soft_nms_best, video_class_groups, vote


class WidthRule(TypedDict):
    """From which overlap on a score is lowered, as :func:`~suite.evaluate.suppression.soft_nms` takes it."""

    threshold: float
    width_slope: float
    strict: bool


ANY = WidthRule(threshold=0.0, width_slope=0.0, strict=False)  # OpenTAD
GROWING = WidthRule(threshold=0.5, width_slope=0.4, strict=True)  # BMN's authors: it grows with the width


def times(found: Segments, rule: WidthRule, duration: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends (N,) for suppression: shares of the videos, of ``duration`` (V,), where widths matter."""
    size = np.asarray(duration)[found.video] if rule["width_slope"] else 1.0
    return np.asarray(found.start / size), np.asarray(found.end / size)


def suppressed(
    found: Segments,
    rule: WidthRule,
    duration: np.ndarray,
    *,
    sigma: float,
    min_score: float,
    limit: int,
    voting: float,
) -> Segments:
    """Gaussian soft-NMS, the ``limit`` best of each video; then score voting, unless ``voting`` is 0."""
    group, score = video_class_groups(found.video, found.label), required_score(found)
    ranked = ranked_groups(*times(found, rule, duration), score, group)
    videos = groups_of_videos(ranked, found.video)
    rows, values = soft_nms_best(ranked, videos, limit, sigma=sigma, min_score=min_score, **rule)
    kept = replace(found.take(rows), score=values)
    if voting <= 0:
        return kept
    start, end = vote(
        kept.start, kept.end, found.start, found.end, score, voting,
        group=group[rows], candidate_group=group, by_overlap=False,
    )  # fmt: skip
    return replace(kept, start=start, end=end)
