"""Noise in the single labels of a training split, as a dataset's dials declare it: labels lost, labels wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from suite.errors import UsageError
from suite.tasks.data import TaskData, other_features
from suite.tasks.noise import disturbed
from suite.tasks.recognition.annotators import by_annotators
from suite.tasks.recognition.samples import Clips


def training_labels(data: TaskData[Clips], dials: Mapping[str, Any]) -> TaskData[Clips]:
    """What training may see: the labels of the annotators that the ``dials`` name, in which there may be noise."""
    return noisy_labels(by_annotators(data, dials), dials)


def noisy_labels(data: TaskData[Clips], dials: Mapping[str, Any]) -> TaskData[Clips]:
    """``data`` in whose training split a share of the labels is lost and, of those left, a share is wrong.

    A clip that loses its only label (dial ``label_drop``) leaves training. A wrong label (``label_flip``) is a class
    that is known not to be in the clip's label set, each as likely as the others; a clip without such keeps its own.
    Which, is drawn with ``noise_seed``: with one seed, the clips of a smaller share are among those of a larger one.
    ``facts["noise"]`` counts both; label sets, validation and test clips stay.

    Raises :class:`UsageError` where training learns from label sets: these dials are about single labels.
    """
    drop, flip = float(dials.get("label_drop", 0.0)), float(dials.get("label_flip", 0.0))
    if not drop and not flip:
        return data
    if data.train.target is not None:
        raise UsageError(f"{data.name} trains on label sets, not single labels: leave label_drop and label_flip at 0.")
    seed, train, facts = int(dials.get("noise_seed", 0)), data.train, dict(data.facts)
    kept, flipped = disturbed(len(train), drop, flip, seed)
    taken = np.asarray(train.truth) if train.known is None else np.asarray(train.truth | ~train.known)
    label = _others(np.asarray(train.label), taken, np.random.default_rng([seed, 2]))[kept]
    if len(kept) < len(train):
        facts = other_features(facts, f"label_drop={drop},noise_seed={seed}")
    kept_clips = train.take(kept) if len(kept) < len(train) else train
    label = np.where(flipped, label, kept_clips.label)
    changed = int((label != kept_clips.label).sum())
    facts["noise"] = {"dropped": len(train) - len(kept), "flipped": changed}
    return replace(data, train=replace(kept_clips, label=label), facts=facts)


def _others(label: np.ndarray, taken: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(N,) a class that is not among those ``taken`` (N, C), or the clip's ``label`` where there is none."""
    preference = np.where(taken, -1.0, generator.random(taken.shape))
    return np.where(taken.all(axis=1), label, preference.argmax(axis=1))
