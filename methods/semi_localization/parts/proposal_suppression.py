"""Suppression of named proposals within each video and class, by the rules of BMN's public codes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from suite.evaluate.segments import Segments, required_score
from suite.evaluate.suppression import (
    SoftRule,
    groups_of_videos,
    ranked_groups,
    soft_nms_best,
    video_class_groups,
    vote,
)

# Candidates that are ordered, suppressed and averaged together. Published recipes keep all of a window, which an
# untrained network makes tens of millions in THUMOS-14's test videos: each copy of their columns takes gigabytes.
AT_ONCE = 200_000


# From which overlap on a score is lowered; the other fields are a method's parameters.
ANY = SoftRule()  # OpenTAD
GROWING = SoftRule(threshold=0.5, width_slope=0.4, strict=True)  # BMN's authors: it grows with the width


def times(found: Segments, rule: SoftRule, duration: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends (N,) for suppression: shares of the videos, of ``duration`` (V,), where widths matter."""
    size = np.asarray(duration)[found.video] if rule.width_slope else 1.0
    return np.asarray(found.start / size), np.asarray(found.end / size)


def suppressed(found: Segments, rule: SoftRule, duration: np.ndarray, voting: float) -> Segments:
    """Gaussian soft-NMS, the best of each video; then score voting, unless ``voting`` is 0.

    Rows of one video lie side by side, videos ascending.
    """
    ends = _blocks(found.video)
    parts = [_suppressed(found.take(np.arange(low, high)), rule, duration, voting) for low, high in pairwise(ends)]
    return Segments.concatenate([Segments.empty(scored=True), *parts])


def _blocks(video: np.ndarray) -> list[int]:
    """Where blocks of whole videos begin (about ``AT_ONCE`` rows, or one video), and where the last one ends."""
    # Compared and not subtracted: differences of tens of millions of rows would be another column of gigabytes.
    first = np.flatnonzero(np.append(True, video[1:] != video[:-1])[: len(video)])
    begins = first[np.flatnonzero(np.diff(first // AT_ONCE, prepend=-1))]
    return [*begins.tolist(), len(video)]


def _suppressed(found: Segments, rule: SoftRule, duration: np.ndarray, voting: float) -> Segments:
    group, score = video_class_groups(found.video, found.label), required_score(found)
    ranked = ranked_groups(*times(found, rule, duration), score, group)
    rows, values = soft_nms_best(ranked, groups_of_videos(ranked, found.video), rule)
    kept = replace(found.take(rows), score=values)
    if voting <= 0:
        return kept
    start, end = vote(
        kept.start, kept.end, found.start, found.end, score, voting,
        group=group[rows], candidate_group=group, by_overlap=False,
    )  # fmt: skip
    return replace(kept, start=start, end=end)
