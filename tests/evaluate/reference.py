"""Slow evaluators, written to be read: one loop for each sentence of the convention, nothing vectorized or shared."""

from __future__ import annotations

import struct

import numpy as np


def iou(a, b) -> float:
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    union = (a[1] - a[0]) + (b[1] - b[0]) - shared
    return shared / union if union > 0 else 0.0


def scrambled(*values: float) -> int:
    """The place of a row among equal scores: splitmix64 over the bits of what it holds, in plain integers."""
    key = 0
    for value in values:
        bits = struct.unpack("<Q", struct.pack("<q" if isinstance(value, int) else "<d", value))[0]
        key = ((key ^ bits) + 0x9E3779B97F4A7C15) % 2**64
        key = (key ^ key >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        key = (key ^ key >> 27) * 0x94D049BB133111EB % 2**64
        key ^= key >> 31
    return key


def envelope_area(hits: list[bool], positives: int) -> float:
    """Area under the precision envelope, from a ranked list of hits and misses."""
    recall, precision, found = [0.0], [0.0], 0
    for rank, hit in enumerate(hits, start=1):
        found += hit
        recall.append(found / positives)
        precision.append(found / rank)
    recall.append(1.0)
    precision.append(0.0)
    area = 0.0
    for place in range(1, len(recall)):
        area += (recall[place] - recall[place - 1]) * max(precision[place:])
    return area


def plain_area(hits: list[bool], positives: int) -> float:
    """Sum of precisions at the hits over the positives."""
    found, area = 0, 0.0
    for rank, hit in enumerate(hits, start=1):
        found += hit
        area += hit * found / rank / positives
    return area


def eleven_area(hits: list[bool], positives: int) -> float:
    """Mean over recalls 0, .1 ... 1 of the best precision at that recall or beyond."""
    points = [(sum(hits[:rank]) / positives, sum(hits[:rank]) / rank) for rank in range(1, len(hits) + 1)]
    return sum(max([p for r, p in points if r >= t / 10], default=0.0) for t in range(11)) / 11


AREAS = {"envelope": envelope_area, "none": plain_area, "eleven": eleven_area}


def temporal_ap(truth, predictions, label, threshold, interpolation="envelope") -> float:
    """AP of one class; rows are (video, label, start, end) and (video, label, start, end, score)."""
    positives = sorted(row for row in truth if row[1] == label)
    found = [row for row in predictions if row[1] == label]
    ranked = sorted(found, key=lambda row: (-row[4], scrambled(row[0], row[2], row[3])))
    taken = set()
    hits = []
    for video, _, start, end, _ in ranked:
        best, choice = -1.0, None
        for place, (where, _, left, right) in enumerate(positives):
            value = iou((start, end), (left, right))
            if where == video and place not in taken and value >= threshold and value > best:
                best, choice = value, place
        hits.append(choice is not None)
        taken.add(choice)
    return AREAS[interpolation](hits, len(positives))


def temporal_table(truth, predictions, thresholds, interpolation="envelope") -> np.ndarray:
    labels = sorted({row[1] for row in truth})
    return np.array([[temporal_ap(truth, predictions, c, t, interpolation) for c in labels] for t in thresholds])


def box_iou(a, b, plus) -> float:
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + plus)
    tall = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + plus)
    union = (a[2] - a[0] + plus) * (a[3] - a[1] + plus) + (b[2] - b[0] + plus) * (b[3] - b[1] + plus) - wide * tall
    return wide * tall / union if union > 0 else 0.0


def frame_ap(truth, detections, label, threshold, plus=0.0) -> float:
    """AP of one class; rows are (frame, label, box) and (frame, label, box, score)."""
    positives = sorted((row for row in truth if row[1] == label), key=lambda row: (row[0], row[2]))
    found = [row for row in detections if row[1] == label]
    ranked = sorted(found, key=lambda row: (-row[3], scrambled(row[0], *row[2])))
    taken, hits = set(), []
    for frame, _, box, _ in ranked:
        overlaps = [(box_iou(box, row[2], plus), -place) for place, row in enumerate(positives) if row[0] == frame]
        best, place = max(overlaps, default=(-1.0, 0))
        hits.append(best >= threshold and place not in taken)
        if hits[-1]:
            taken.add(place)
    return envelope_area(hits, len(positives))


def soft_nms(segments, decay, min_score) -> list[tuple[int, float]]:
    """(row, score) in picking order; ``decay`` gives the factor for an overlap."""
    left = [(score, row) for row, (_, _, score) in enumerate(segments)]
    picked = []
    while left:
        score, row = max(
            left, key=lambda item: (item[0], segments[item[1]][2], -segments[item[1]][0], -segments[item[1]][1])
        )
        picked.append((row, score))
        rest = [(value, other) for value, other in left if other != row]
        lowered = [(value * decay(iou(segments[row][:2], segments[other][:2])), other) for value, other in rest]
        left = [(value, other) for value, other in lowered if value >= min_score]
    return picked


def hard_nms(segments, threshold) -> list[int]:
    order = sorted(range(len(segments)), key=lambda row: (-segments[row][2], segments[row][0], segments[row][1]))
    kept: list[int] = []
    for row in order:
        if all(iou(segments[row][:2], segments[other][:2]) < threshold for other in kept):
            kept.append(row)
    return kept


def average_recall(truth, proposals, limit, thresholds):
    """Recall (T, 100) and proposals a video (100,); rows are (video, start, end) and (video, start, end, score)."""
    videos = sorted({row[0] for row in truth})
    mine = {v: sorted((r for r in proposals if r[0] == v), key=lambda r: (-r[3], scrambled(*r[:3]))) for v in videos}
    ratio = limit * len(videos) / sum(len(rows) for rows in mine.values())
    mine = {v: rows[: min(int(len(rows) * ratio), len(rows))] for v, rows in mine.items()}
    total = sum(len(rows) for rows in mine.values())
    shares = np.arange(1, 101) / 100.0 * (limit * len(videos) / total)
    recall = np.zeros((len(thresholds), 100))
    for t, threshold in enumerate(thresholds):
        for point, share in enumerate(shares):
            reached = 0
            for video, start, end in truth:
                rows = mine[video][: min(int(len(mine[video]) * share), len(mine[video]))]
                reached += any(iou((start, end), (a, b)) >= threshold for _, a, b, _ in rows)
            recall[t, point] = reached / len(truth)
    return recall, shares * total / len(videos)
