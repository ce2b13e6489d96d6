"""How cost grows with videos, snippets, classes, trials, predictions and seeds, with fitted exponents.

``python -m tests.benchmarks growth``. CPU seconds at four sizes, each twice the one before.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from suite.evaluate import multilabel
from suite.evaluate.segments import Segments
from suite.evaluate.temporal import temporal_map
from suite.places import Places
from suite.registry import method
from suite.runs import resolve_run
from suite.tasks.localization.samples import Videos
from suite.work.execute import execute
from suite.work.machine import Machine
from tests.benchmarks.bench_evaluate import FIVE, planted
from tests.benchmarks.rows import grown

CLASSES = 20


def decoding(videos: int, snippets: int) -> Callable[[], Any]:
    """Inference of action selection from kept scores: proposals and suppression."""
    generator, count = np.random.default_rng(0), videos * snippets
    scores = {
        "offsets": np.arange(videos + 1) * snippets,
        "class_score": generator.random((count, CLASSES)).astype(np.float32),
        "actionness": generator.random((count, 1)).astype(np.float32),
        "probability": generator.dirichlet(np.ones(CLASSES), videos),
    }
    ids, lengths = np.array([str(video) for video in range(videos)]), np.full(videos, snippets)
    rows, seconds = np.zeros((count, 1), dtype=np.float32), lengths * 16 / 25
    nothing = Segments.empty()
    samples = Videos.annotated(
        ids, rows, lengths, nothing, CLASSES, fps=25.0, stride=16.0, window=16.0, duration=seconds
    )
    built = method("action-selection")()
    return lambda: built.decode(scores, samples)


def metrics(classes: int) -> Callable[[], Any]:
    """mAP of 5,000 clips."""
    generator = np.random.default_rng(0)
    scores, truth = generator.normal(size=(5000, classes)), generator.random((5000, classes)) < 0.02
    return lambda: multilabel.mean_average_precision(scores, truth)


def matching(predictions: int) -> Callable[[], Any]:
    """Temporal mAP at five thresholds."""
    truth, found = planted(210, CLASSES, 3311, predictions)
    return lambda: temporal_map(truth, found, FIVE)


def trials(count: int) -> Callable[[], Any]:
    """A search of post-processing over pooled candidates."""
    from suite.evaluate.scoring.pool import Pool
    from suite.evaluate.scoring.rematch import Rematch
    from suite.evaluate.suppression import NonMaximumSuppression

    truth, found = planted(40, CLASSES, 600, 5000)
    pool = Pool(found)
    rematch = Rematch(truth, pool, FIVE, np.arange(40))
    rules = [NonMaximumSuppression("decay", share) for share in np.linspace(0.05, 0.95, count)]
    return lambda: [rematch.map_per_tiou(picked) for rule in rules if (picked := pool.thinned(rule))]


def training(seeds: int) -> Callable[[], Any]:
    """Short recognition runs, one after the other."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(seeds):
                spec = resolve_run("mask-bce", "planted-verbs[train=500]", {"hidden": 64}, seed=seed, epochs=2)
                execute(spec, Places(folder), machine=Machine(checkpoints=False))

    return run


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    sizes = (1, 2, 4, 8)
    grown(
        "growth", "inference of action selection, 400 snippets", "videos", lambda n: decoding(n, 400), (5, 10, 20, 40)
    )
    grown(
        "growth", "inference of action selection, 5 videos", "snippets", lambda n: decoding(5, n), (100, 200, 400, 800)
    )
    grown("growth", "mAP of 5,000 clips", "classes", metrics, tuple(50 * n for n in sizes))
    grown("growth", "search of post-processing, 5,000 candidates", "trials", trials, tuple(25 * n for n in sizes))
    grown("growth", "temporal mAP at five thresholds", "predictions", matching, tuple(25_000 * n for n in sizes))
    grown("growth", "short runs of mask-bce", "seeds", training, sizes)


if __name__ == "__main__":
    main()
