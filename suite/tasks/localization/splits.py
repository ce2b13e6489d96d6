"""Which training videos keep their segments in a semi-supervised split: by ratio and seed, or by a published list.

A split is data: the same ratio, seed and rule always give the same videos, whatever method learns from them. Segments
withheld stay in the arrays for evaluation; ``labelled`` says which videos may be learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from suite.errors import UsageError
from suite.tasks.data import TaskData
from suite.tasks.labelled import choose_labelled, missing_classes
from suite.tasks.localization.annotators import by_annotators, with_a_class
from suite.tasks.localization.noise import noisy_classes, noisy_segments
from suite.tasks.localization.samples import Videos


def labels_of_some(data: TaskData[Videos], dials: Mapping[str, Any]) -> TaskData[Videos]:
    """What semi-supervised training may see: some of the segments, in which there may be noise."""
    # First who is labelled: that must not depend on how well.
    return noisy_segments(withhold_segments(by_annotators(data, dials), dials), dials)


def classes_alone(data: TaskData[Videos], dials: Mapping[str, Any]) -> TaskData[Videos]:
    """What weakly supervised training may see: classes of videos, in which there may be noise."""
    return noisy_classes(with_a_class(by_annotators(data, dials)), dials)


def withhold_segments(data: TaskData[Videos], dials: Mapping[str, Any]) -> TaskData[Videos]:
    """``data`` whose training set keeps the segments of a share ``labelled`` of its videos.

    They are drawn with ``split_seed`` (``stratified``: with every class), or are those of the published list of that
    share (``list``), where the dataset has lists (``facts["published_lists"]``: share to (V,) bool).

    Raises:
        UsageError: a share outside (0, 1], or one without a list.
    """
    if "labelled" not in dials:
        return data
    share, presence = float(dials["labelled"]), data.train.video_labels
    if dials.get("list", "drawn") != "drawn" and share < 1.0:
        return with_labelled(data, _published(data, share))
    stratified = bool(dials.get("stratified", False))
    return with_labelled(data, choose_labelled(presence, share, int(dials["split_seed"]), stratified))


def with_labelled(data: TaskData[Videos], chosen: np.ndarray) -> TaskData[Videos]:
    """``data`` whose training set is labelled at ``chosen`` (V,) only; features stay where they are.

    The facts gain ``missing_classes``: names of classes that no labelled video shows.
    """
    missing = missing_classes(data.train.video_labels, chosen)
    facts = {**data.facts, "missing_classes": [data.classes[c] for c in missing]}
    return replace(data, train=replace(data.train, labelled=chosen), facts=facts)


def _published(data: TaskData[Videos], share: float) -> np.ndarray:
    lists = data.facts.get("published_lists", {})
    if f"{share:g}" not in lists:
        there = ", ".join(lists) or "none"
        raise UsageError(
            f"{data.name} has no published list for labelled={share:g} (there are: {there}); "
            f"put video_info_new_{1 - share:g}.csv beside its annotations or use list=drawn."
        )
    return np.asarray(lists[f"{share:g}"], dtype=bool)
