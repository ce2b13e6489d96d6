"""Random small worlds for the property tests: coarse grids, so that ties and equal overlaps do happen."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from suite.evaluate.boxes import Boxes
from suite.evaluate.segments import Segments

TIMES = st.integers(0, 12)
IDS = st.integers(0, 2)
SCORES = st.integers(1, 6).map(lambda value: value / 8)


def segment_rows(scored: bool, least: int = 0, most: int = 14):
    columns = [IDS, IDS, TIMES.map(float), st.integers(1, 6).map(float), *([SCORES] if scored else [])]
    shaped = st.tuples(*columns).map(lambda row: (row[0], row[1], row[2], row[2] + row[3], *row[4:]))
    return st.lists(shaped, min_size=least, max_size=most)


def as_segments(rows, scored: bool) -> Segments:
    if not rows:
        return Segments.empty(scored)
    return Segments(*(np.array(column) for column in zip(*rows)))


def box_rows(scored: bool, least: int = 0, most: int = 12):
    side = st.integers(1, 4)
    corner = st.integers(0, 4)
    box = st.tuples(corner, corner, side, side).map(
        lambda b: (float(b[0]), float(b[1]), float(b[0] + b[2]), float(b[1] + b[3]))
    )
    return st.lists(st.tuples(IDS, IDS, box, *([SCORES] if scored else [])), min_size=least, max_size=most)


def as_boxes(rows, scored: bool) -> Boxes:
    box = np.array([row[2] for row in rows]).reshape(-1, 4)
    score = np.array([row[3] for row in rows]) if scored else None
    return Boxes(np.array([row[0] for row in rows]), np.array([row[1] for row in rows]), box, score)
