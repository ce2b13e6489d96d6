"""Five multi-label metrics of 20,000 clips and 97 classes beside plain readings of their definitions.

``python -m tests.benchmarks multilabel``. The plain way is what evaluation codes do: scikit-learn's curve of each class
under its envelope, an argsort of each clip, sets of each clip.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import precision_recall_curve

from suite.evaluate import multilabel
from tests.benchmarks.ceilings import READING, reading
from tests.benchmarks.rows import Row, least, record

CLIPS, CLASSES = 20_000, 97


def clips() -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, C), and one to six labels of each clip."""
    generator = np.random.default_rng(0)
    truth = generator.random((CLIPS, CLASSES)) < 0.02
    truth[np.arange(CLIPS), generator.integers(CLASSES, size=CLIPS)] = True
    return generator.normal(size=(CLIPS, CLASSES)) + 2 * truth, truth


def ours(logits: np.ndarray, truth: np.ndarray) -> list[float]:
    """Top-1, top-set, IoU, F1 and mAP."""
    probability = multilabel.probabilities(logits)
    return [
        multilabel.top1_accuracy(logits, truth),
        multilabel.top_set_accuracy(logits, truth),
        multilabel.iou_accuracy(probability, truth),
        multilabel.f1_measure(probability, truth),
        multilabel.mean_average_precision(logits, truth),
    ]


def plain(logits: np.ndarray, truth: np.ndarray) -> list[float]:
    """The same numbers, clip by clip and class by class."""
    top1, share, iou, f1 = [], [], [], []
    probability = 1 / (1 + np.exp(-logits))
    for clip in range(len(logits)):
        labels, order = np.flatnonzero(truth[clip]), np.argsort(-logits[clip], kind="stable")
        predicted = np.flatnonzero(probability[clip] >= 0.5)
        best, shared = order[: len(labels)], len(np.intersect1d(predicted, labels))
        top1.append(truth[clip, order[0]])
        share.append(len(np.intersect1d(best, labels)) / len(labels))
        iou.append(shared / len(np.union1d(predicted, labels)))
        f1.append(2 * shared / (len(predicted) + len(labels)))
    areas = [_area(truth[:, label], logits[:, label]) for label in range(truth.shape[1])]
    return [float(np.mean(values)) for values in (top1, share, iou, f1, areas)]


def _area(labels: np.ndarray, scores: np.ndarray) -> float:
    precision, recall, _ = precision_recall_curve(labels, scores)
    envelope = np.maximum.accumulate(precision)  # the curve begins at the lowest score
    return float(-(np.diff(recall) * envelope[:-1]).sum())


def main() -> None:
    """Measure and print."""
    logits, truth = clips()
    np.testing.assert_allclose(ours(logits, truth), plain(logits, truth), atol=1e-9)
    seconds, slow = least(lambda: ours(logits, truth)), least(lambda: plain(logits, truth), 1)
    what = f"five multi-label metrics of {CLIPS:,} clips, {CLASSES} classes"
    share, against = reading(logits.nbytes + truth.nbytes) / seconds, "clip by clip, class by class"
    record(Row("multilabel", what, against, slow / seconds, seconds, share, 20.0, bound=READING))
    record(Row("multilabel", f"{what}, in seconds", "", None, seconds, share, least=0.08, bound=READING))


if __name__ == "__main__":
    main()
