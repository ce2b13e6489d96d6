"""Segments of several annotators: whose train and test, where a majority agrees, how well people predict each other.

The majority's segments of a class are the runs of time to which more than half of the annotators who saw the video give
that class (of two, where both do). A video that nobody of those asked has seen is left out of its split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from suite.errors import UsageError
from suite.evaluate.segments import Segments
from suite.tasks.annotators import ALL, Panel, opened, refuse_soft
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from suite.tasks.localization.votes import agreed


def by_annotators(data: TaskData[Videos], dials: Mapping[str, Any]) -> TaskData[Videos]:
    """``data`` with the segments of the annotators that the dials name; as it is where there is but one.

    ``annotator`` says whose training videos have: one's, the ``majority``'s, or ``all`` (the time that anybody gave to
    a class); ``test_annotator`` whose are the truth of validation and test videos: one's, or the ``majority``'s.
    Classes of videos are those of their segments.

    Raises:
        DataError: card and reader do not agree on who annotated.
        UsageError: ``soft``, of which segments know nothing, or an annotator who saw no video of a split.
    """
    found = opened(data, dials, lambda videos: None if videos.annotations is None else videos.annotations.seen)
    if found is None:
        return data
    data, panel = found
    refuse_soft(data, data.task)
    asked = {"train": panel.train, "validation": panel.test, "test": panel.test}
    splits = {split: labelled(data.split(split), panel.voters(who), who == ALL) for split, who in asked.items()}
    for split, videos in splits.items():
        if not len(videos):
            dial = "annotator" if split == "train" else "test_annotator"
            raise UsageError(f"{data.name}: {dial}={asked[split]} saw no {split} video; use another.")
    gone = {split: len(data.split(split)) - len(videos) for split, videos in splits.items()}
    facts = {**data.facts, "annotators": {**data.facts["annotators"], "videos left out": gone}}
    return TaskData.of(data.name, data.task, data.classes, splits, facts)


def with_a_class(data: TaskData[Videos]) -> TaskData[Videos]:
    """``data`` of several annotators without training videos that have no class: weak labels say nothing of these."""
    shown = np.asarray(data.train.video_labels).any(axis=1)
    if Panel.of(data) is None or shown.all():
        return data
    return replace(data, train=data.train.take(np.flatnonzero(shown)))


def labelled(videos: Videos, voters: Sequence[int], anybody: bool = False) -> Videos:
    """Those of the ``videos`` that any of the ``voters`` saw, with their segments: the majority's or ``anybody``'s."""
    held = videos.annotations
    assert held is not None
    counts = np.asarray(held.seen)[:, list(voters)].sum(axis=1)
    rows = np.isin(held.annotator, list(voters)) & (counts > 0)[held.segments.video]
    segments = held.segments.take(rows)
    if len(voters) > 1:  # one annotator's segments stay as they were given, overlaps included
        segments = agreed(segments, held.annotator[rows], np.zeros(len(videos)) if anybody else counts / 2)
    labels = np.zeros(videos.video_labels.shape, dtype=bool)
    labels[segments.video, segments.label] = True
    made = replace(videos, segments=segments, video_labels=labels)
    return made if counts.all() else made.take(np.flatnonzero(counts))


def compared(data: TaskData[Videos]) -> Iterator[tuple[str, Segments, Videos]]:
    """Each annotator's segments as predictions, all of score 1, for those test videos that it and its judges saw.

    With these videos, whose truth is that of the judges.
    """
    panel, held = Panel.of(data), data.test.annotations
    if panel is None or held is None:
        return
    for name, place, judges in panel.compared():
        own = data.test.take(np.flatnonzero(np.asarray(held.seen)[:, place]))
        truth = labelled(own, judges)
        if not len(truth) or not len(truth.segments):
            continue
        said = labelled(truth, [place]).segments
        yield name, replace(said, score=np.ones(len(said))), truth
