"""Where annotators of segments agree: the time that more than so many of them give to a class, as segments."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from suite.evaluate.segments import Segments


def agreed(segments: Segments, annotator: np.ndarray, more_than: np.ndarray) -> Segments:
    """Runs of time to which more than ``more_than`` (V,) annotators give one class, by video, class and start.

    ``annotator`` (S,) says whose each of the ``segments`` is. An annotator counts once, however many of the own
    segments overlap there. Exact: boundaries are those of annotators, there is no grid. Runs that touch are one.
    """
    rows: list[tuple[int, int, float, float]] = []
    order = np.lexsort((segments.label, segments.video))
    pairs = np.stack([segments.video[order], segments.label[order]])
    for group in np.split(order, np.flatnonzero(np.diff(pairs).any(axis=0)) + 1) if len(order) else ():
        video, label = int(segments.video[group[0]]), int(segments.label[group[0]])
        spans = _runs(segments.start[group], segments.end[group], annotator[group], float(more_than[video]))
        rows += [(video, label, start, end) for start, end in spans]
    return Segments.of_rows(rows)


def _runs(start: np.ndarray, end: np.ndarray, annotator: np.ndarray, more_than: float) -> Iterator[tuple[float, float]]:
    """Start and end of each run of one class in one video; all (S,)."""
    edges = np.unique(np.concatenate([start, end]))
    covers = (start[:, None] <= edges[:-1]) & (end[:, None] >= edges[1:])  # (S, edges - 1) spans between edges
    count = sum(covers[annotator == who].any(axis=0).astype(int) for who in np.unique(annotator))
    inside = np.concatenate([[False], count > more_than, [False]])
    first, last = np.flatnonzero(~inside[:-1] & inside[1:]), np.flatnonzero(inside[:-1] & ~inside[1:])
    return zip(edges[first].tolist(), edges[last].tolist())
