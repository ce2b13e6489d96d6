"""IoU and F1 at many thresholds over the same logits, from one curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suite.evaluate import multilabel
from suite.evaluate.thresholds import set_curve
from suite.tasks.base import Wanted
from suite.tasks.recognition.samples import Clips, ClipScores

OWN = ("IoU own threshold", "F1 own threshold")


def by_threshold(predictions: Sequence[ClipScores], samples: Clips, wanted: Wanted) -> np.ndarray | None:
    """(predictions, wanted) metrics of predictions that differ in their thresholds only; None for all others."""
    if not {name for name, _ in wanted} <= set(OWN):
        return None
    several = list(predictions)
    if len({id(one.logits) for one in several}) != 1:
        return None
    probability = multilabel.probabilities(np.asarray(several[0].logits, dtype=np.float64))
    found = set_curve(probability, samples.truth, samples.known).at([one.threshold for one in several])
    values = dict(zip(OWN, found, strict=True))
    return np.stack([values[name] for name, _ in wanted], axis=1)
