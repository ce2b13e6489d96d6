"""Predictors that know little, to see how much there is to learn: chance, the majority, and a linear probe."""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.conformance.arrays import LEARNED, has_labels, label_sets
from suite.evaluate.segments import Segments
from suite.tasks import Task
from suite.tasks.data import TaskData

SHUFFLES = 19  # a probe that beats all of them does so by chance once in twenty times
RIDGE = 0.1  # penalty of the probe, per sample and for standardized features


def guessed(served: Task, data: TaskData[Any], generator: np.random.Generator) -> Any:
    """Predictions for the test split that are drawn at random."""
    if served.predictions is not Segments:
        drawn = generator.random((len(data.test), len(data.classes)), dtype=np.float32)
        return served.predictions(drawn)
    known, duration = data.train.segments, np.asarray(data.test.duration, dtype=np.float64)
    each = max(1, round(len(known) / max(1, len(data.train))))
    video = np.repeat(np.arange(len(duration)), each)
    length = generator.choice(np.asarray(known.end - known.start) if len(known) else duration, len(video))
    length = np.minimum(length, duration[video])
    start = generator.random(len(video)) * (duration[video] - length)
    label = generator.integers(0, len(data.classes), len(video))
    return Segments(video, label, start, start + length, generator.random(len(video)))


def majority(served: Task, data: TaskData[Any]) -> Any | None:
    """Predictions that do not look: classes as often as in training; of segments, the commonest over whole videos.

    None where the samples have no labels that :func:`label_sets` knows.
    """
    labels = label_sets(data.train, len(data.classes), LEARNED)
    if labels is None:
        return None
    share = labels[has_labels(data.train)].mean(axis=0)
    if served.predictions is not Segments:
        return served.predictions(np.tile(share.astype(np.float32), (len(data.test), 1)))
    end = np.asarray(data.test.duration, dtype=np.float64)
    video, label = np.arange(len(end)), np.full(len(end), int(share.argmax()))
    return Segments(video, label, np.zeros(len(end)), end, np.ones(len(end)))


def probed(
    features: np.ndarray, labels: np.ndarray, unseen: np.ndarray, truth: np.ndarray, generator: np.random.Generator
) -> tuple[float, np.ndarray]:
    """How far a linear probe follows the labels that it never saw, taught by labels and by labels that were shuffled.

    ``features`` (n, D) with ``labels`` (n, C) teach; ``unseen`` (m, D) with ``truth`` (m, C) test. Returns the
    covariance of prediction and truth in shares of the variance of the truth, both summed over classes (1: exact, 0:
    unrelated), and (SHUFFLES,) shares of the probes whose labels belong to other samples. A measure of order alone
    (accuracy, area under ROC) would not do: where one direction separates two classes, a shuffled probe may order them
    perfectly. Squared errors would not, either, where training shows one label of several. All are fitted at once:
    ridge regression with as many targets.
    """
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features)
    orders = [np.arange(len(labels)), *(generator.permutation(len(labels)) for _ in range(SHUFFLES))]
    targets = np.hstack([labels[order].astype(np.float64) for order in orders])
    probe = Ridge(alpha=RIDGE * len(features)).fit(scaler.transform(features), targets)
    found = probe.predict(scaler.transform(unseen)).reshape(len(unseen), len(orders), -1)
    varied = truth - truth.mean(axis=0)
    shares = np.einsum("mkc,mc->k", found, varied) / (varied**2).sum()
    return float(shares[0]), shares[1:]
