"""Noise in the single labels of a training split, as a dataset's dials declare it: labels lost, labels wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips


def noisy_labels(data: TaskData[Clips], dials: Mapping[str, Any]) -> TaskData[Clips]:
    """``data`` in whose training split a share of the labels is lost and, of those left, a share is wrong.

    A clip that loses its only label (dial ``label_drop``) leaves training. A wrong label (``label_flip``) is a class
    that is not in the clip's label set, each as likely as the others; a clip that shows all classes keeps its own.
    Which, is drawn with ``noise_seed``: with one seed, the clips of a smaller share are among those of a larger one.
    ``facts["noise"]`` counts both; label sets, validation and test clips stay.
    """
    drop, flip = float(dials["label_drop"]), float(dials["label_flip"])
    if not drop and not flip:
        return data
    seed, train, facts = int(dials["noise_seed"]), data.train, dict(data.facts)
    lost, wrong = (np.random.default_rng([seed, part]).permutation(len(train)) for part in range(2))
    kept = np.sort(lost[round(drop * len(train)) :])
    flipped = np.isin(kept, wrong[: round(flip * len(train))])
    label = _others(np.asarray(train.label), np.asarray(train.truth), np.random.default_rng([seed, 2]))[kept]
    if len(kept) < len(train):
        facts["features_of"] = f"label_drop={drop},noise_seed={seed}"
    kept_clips = train.take(kept) if len(kept) < len(train) else train
    label = np.where(flipped, label, kept_clips.label)
    changed = int((label != kept_clips.label).sum())
    facts["noise"] = {"dropped": len(train) - len(kept), "flipped": changed}
    return replace(data, train=replace(kept_clips, label=label), facts=facts)


def _others(label: np.ndarray, truth: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(N,) a class that is not in the clip's label set (N, C), or its ``label`` where there is none."""
    preference = np.where(truth, -1.0, generator.random(truth.shape))
    return np.where(truth.all(axis=1), label, preference.argmax(axis=1))
