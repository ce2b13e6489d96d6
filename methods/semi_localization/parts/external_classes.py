"""Video-level class scores of another classifier, for detectors that find actions without naming them."""

from __future__ import annotations

import numpy as np

from suite.errors import UsageError
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


def class_scores_of(data: TaskData[Videos], samples: Videos) -> np.ndarray:
    """(V, C) class scores that come with the dataset for one of its splits (``facts["class_scores"][split]``).

    Such scores mostly come from classifiers trained on all video labels; reports that use them should state it.

    Raises:
        UsageError: the dataset has none for this split.
    """
    given = data.facts.get("class_scores", {})
    for split in ("train", "validation", "test"):
        if np.array_equal(data.split(split).ids, samples.ids) and split in given:
            return np.asarray(given[split], dtype=np.float64)
    raise UsageError(
        f"{data.name} brings no class scores for these videos, which class_agnostic=true needs; "
        "set it to false, or validation=test where only test videos have scores."
    )
