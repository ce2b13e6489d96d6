"""Which people keep their labels in a semi-supervised split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData
from suite.tasks.labelled import missing_classes


def withhold_labels(data: TaskData[Actors], dials: Mapping[str, Any]) -> TaskData[Actors]:
    """Leave labels to a share ``labelled`` of the training units and take them from the others.

    ``labelled_unit`` is ``video`` (as annotators work) or ``clip``; ``discarded`` says whether the clips that lose
    their labels join the unlabelled ones (``unlabelled``) or leave the training set (``drop``): then the unlabelled
    clips are the same at every share. Clips that never had labels stay as they are. One unit at least keeps its labels.
    The facts gain ``missing_classes``: names of classes that no person with labels shows any more.
    """
    if "labelled" not in dials:
        return data
    train = data.train
    had = np.zeros(len(train.clip_ids), dtype=bool)
    had[train.clip[train.labelled]] = True
    unit = train.clip_videos if dials["labelled_unit"] == "video" else train.clip_ids
    candidates = np.unique(unit[had])
    count = max(1, round(float(dials["labelled"]) * len(candidates)))
    chosen = np.random.default_rng(int(dials["split_seed"])).permutation(candidates)[:count]
    keeps = had & np.isin(unit, chosen)
    known = train.labels[train.labelled]
    missing = missing_classes(known, keeps[train.clip[train.labelled]])
    facts = {**data.facts, "missing_classes": [data.classes[c] for c in missing]}
    train = replace(train, labelled=train.labelled & keeps[train.clip])
    if dials["discarded"] == "drop":
        train = train.take(np.flatnonzero(keeps | ~had))
    return replace(data, train=train, facts=facts)
