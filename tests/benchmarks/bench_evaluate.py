"""How fast detections are scored, beside a loop over predictions measured in the same run.

Run with ``python -m tests.benchmarks.bench_evaluate``; ``--large`` adds 10 million predictions.
"""

from __future__ import annotations

import resource
import sys

import numpy as np

from suite.evaluate.boxes import Boxes
from suite.evaluate.protocols import ACTIVITYNET, AVA
from suite.evaluate.segments import Segments, tiou
from suite.evaluate.spatial import frame_map
from suite.evaluate.temporal import match_segments, temporal_map
from tests.benchmarks.ceilings import READING, SORTING, reading, sorting
from tests.benchmarks.rows import Row, least, record, timed

FIVE = ACTIVITYNET.at(0.3, 0.4, 0.5, 0.6, 0.7)


def planted(videos: int, classes: int, actions: int, predictions: int, seed: int = 0) -> tuple[Segments, Segments]:
    """Ground truth of ``actions`` segments and scored predictions, half of them near a true one."""
    generator = np.random.default_rng(seed)
    video, label = generator.integers(videos, size=actions), generator.integers(classes, size=actions)
    start, length = generator.uniform(0, 200, actions), generator.exponential(4, actions) + 0.3
    truth = Segments(video, label, start, start + length)
    source = generator.integers(actions, size=predictions)
    near = generator.random(predictions) < 0.5
    shift = generator.normal(0, np.where(near, 0.2, 20), predictions) * length[source]
    wide = length[source] * generator.lognormal(0, np.where(near, 0.2, 1.0))
    found_label = np.where(near, label[source], generator.integers(classes, size=predictions))
    begin = start[source] + shift
    return truth, Segments(video[source], found_label, begin, begin + wide, generator.random(predictions))


def scored(
    what: str, found: Segments | Boxes, taken: float, aim: float, against: str = "", theirs: float = 0.0
) -> None:
    """A row of scoring ``found``, whose scores any evaluator has to sort."""
    ratio, share = theirs / taken if against else None, sorting(np.asarray(found.score)) / taken
    record(Row("evaluate", what, against, ratio, taken, share, least=aim, bound=SORTING))


def loop_over_predictions(truth: Segments, found: Segments, thresholds: tuple[float, ...]) -> float:
    """The field's way, without its data frames: visit predictions one by one, NumPy inside."""
    areas = []
    rows_of: dict[tuple[int, int], np.ndarray] = {}
    for row in range(len(truth)):
        key = (int(truth.video[row]), int(truth.label[row]))
        rows_of[key] = np.append(rows_of.get(key, np.zeros(0, dtype=int)), row)
    for label in np.unique(truth.label):
        ranked = np.flatnonzero(found.label == label)
        ranked = ranked[np.argsort(-found.score[ranked], kind="stable")]
        positives = int((truth.label == label).sum())
        hits, taken = np.zeros((len(thresholds), len(ranked))), np.zeros((len(thresholds), len(truth)), dtype=bool)
        for place, row in enumerate(ranked):
            rows = rows_of.get((int(found.video[row]), int(label)))
            if rows is None:
                continue
            overlap = tiou(found.start[row], found.end[row], truth.start[rows], truth.end[rows])
            for choice in np.argsort(-overlap, kind="stable"):
                for level, threshold in enumerate(thresholds):
                    if overlap[choice] >= threshold and not hits[level, place] and not taken[level, rows[choice]]:
                        hits[level, place] = 1
                        taken[level, rows[choice]] = True
        true = hits.cumsum(axis=1)
        envelope = np.maximum.accumulate((true / np.arange(1, len(ranked) + 1))[:, ::-1], axis=1)[:, ::-1]
        areas.append((hits * envelope).sum(axis=1) / positives)
    return float(np.mean(areas))


def temporal() -> None:
    truth, found = planted(210, 20, 3311, 42_000)
    ours = least(lambda: temporal_map(truth, found, FIVE))
    theirs, looped = timed(lambda: loop_over_predictions(truth, found, FIVE.tiou))
    gap = abs(looped - temporal_map(truth, found, FIVE).average_map)
    scored("THUMOS size, 42,000 predictions, 5 tIoU", found, ours, 0.3, "a loop over predictions", theirs)
    print(f"  average mAP differs by {gap:.1e}")
    matches = match_segments(truth, found, FIVE)
    weights = np.random.default_rng(0).multinomial(210, np.full(210, 1 / 210), size=1000)
    drawn, _ = timed(lambda: matches.average_map(weights))
    share = 1000 * reading(found.score.nbytes) / drawn
    what, anew = "1,000 bootstrap resamples of it", 1000 * ours / drawn
    record(Row("evaluate", what, "scoring anew", anew, drawn, share, least=20.0, bound=f"{READING} per resample"))


def activitynet() -> None:
    truth, found = planted(4728, 200, 7293, 472_800, seed=1)
    elapsed = least(lambda: temporal_map(truth, found, ACTIVITYNET))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    scored("ActivityNet size, 472,800 predictions, 200 classes, 10 tIoU", found, elapsed, 2.0)
    print(f"  peak {peak:.2f} GiB; target 1 GiB")


def actors() -> None:
    generator = np.random.default_rng(2)
    frames, true, count = 1250, 5000, 50_000

    def boxes(rows: int, scored: bool) -> Boxes:
        corner = generator.uniform(0, 0.6, (rows, 2))
        box = np.hstack([corner, corner + generator.uniform(0.1, 0.4, (rows, 2))])
        score = generator.random(rows) if scored else None
        return Boxes(generator.integers(frames, size=rows), generator.integers(1, 61, size=rows), box, score)

    truth, found = boxes(true, scored=False), boxes(count, scored=True)
    elapsed = least(lambda: frame_map(truth, found, AVA))
    scored("AVA size, 50,000 detections, 1,250 frames", found, elapsed, 0.1)


def growth(largest: int) -> None:
    size, before = 100_000, 0.0
    while size <= largest:
        truth, found = planted(size // 100, 50, size // 20, size, seed=3)
        clock = resource.getrusage(resource.RUSAGE_SELF)
        temporal_map(truth, found, FIVE)
        done = resource.getrusage(resource.RUSAGE_SELF)
        elapsed, kernel = done.ru_utime - clock.ru_utime, done.ru_stime - clock.ru_stime
        bound = 10 * np.log(size) / np.log(size / 10)
        told = f"x{elapsed / before:.1f} (n log n: x{bound:.1f})" if before else ""
        print(f"{size:>10,} predictions: {elapsed:.2f} s and {kernel:.2f} s for fresh memory {told}")
        size, before = size * 10, elapsed


def main() -> None:
    temporal()
    activitynet()
    actors()
    growth(10_000_000 if "--large" in sys.argv else 1_000_000)


if __name__ == "__main__":
    main()
