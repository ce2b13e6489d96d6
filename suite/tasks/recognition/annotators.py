"""Label sets of several annotators: votes, agreement, and how well people predict each other.

``annotations`` (N, A, C) int8 hold what each of A annotators said about each class of a clip: 1 present, 0 absent, -1
nothing. A class has the majority of a clip's annotators where more than half of those who said something about it call
it present. Where exactly half do, the label is unknown, and so is every class that somebody named in a clip in which no
class has a majority: unknown is not negative.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from suite.errors import UsageError
from suite.tasks.annotators import ALL, SOFT, Panel, opened
from suite.tasks.data import TaskData, other_features
from suite.tasks.recognition.samples import Clips, ClipScores
from suite.tasks.recognition.votes import agreed, foremost, votes

SURE = 10.0  # logit of a class that an annotator named; -SURE of one that was not
DRAWS = 10  # orders of equal scores whose metrics are averaged
LITTLE = 1e-3  # by how much drawn orders move logits: no threshold lies there


def by_annotators(data: TaskData[Clips], dials: Mapping[str, Any]) -> TaskData[Clips]:
    """``data`` with the labels of the annotators that the dials name; as it is where there is but one.

    ``annotator`` says whose label sets training clips have: one's, the ``majority``'s, ``soft`` (``target`` is the
    share of those who named a class among those who said something about it), or ``all`` (each clip comes once per
    annotator, its id followed by ``@`` and the annotator's name). Training clips without a label then leave; ``facts``
    count them. ``test_annotator`` says whose label sets are the truth of validation and test clips: one's, or the
    ``majority``'s.

    Raises:
        DataError: card and reader do not agree on who annotated.
        UsageError: the annotator that tests said nothing about a whole split, or nobody that trains gave any label.
    """
    found = opened(data, dials, lambda clips: clips.annotations)
    if found is None:
        return data
    data, panel = found
    said = _learned(np.asarray(data.train.annotations), panel)
    if not len(said.rows):
        raise UsageError(f"{data.name}: annotator={panel.train} gives no training clip a label; use another.")
    whole = np.array_equal(said.rows, np.arange(len(data.train)))
    train = _with(data.train if whole else data.train.take(said.rows), said)
    if panel.train == ALL:
        names = np.array(panel.names)[panel.voters(ALL)]
        train = replace(train, ids=np.array([f"{one}@{names[who]}" for one, who in zip(train.ids, said.whose)]))
    facts = data.facts if whole else other_features(data.facts, f"annotator={panel.train}")
    left = len(data.train) - len(np.unique(said.rows))
    facts = {**facts, "annotators": {**facts["annotators"], "clips left out": left}}
    validation, test = (_judged(data, split, panel) for split in ("validation", "test"))
    return replace(data, train=train, validation=validation, test=test, facts=facts)


class Said(NamedTuple):
    """Labels of K clips, which stand at ``rows`` (K,): their sets, what is known of them, and what is learned from.

    ``whose`` (K,): by which of several voters, where each labels for itself.
    """

    rows: np.ndarray
    label: np.ndarray
    truth: np.ndarray
    known: np.ndarray
    target: np.ndarray
    whose: np.ndarray

    def take(self, index: np.ndarray) -> Said:
        """Those at ``index``."""
        return Said(*(column[index] for column in self))


def _learned(annotations: np.ndarray, panel: Panel) -> Said:
    """What training learns from: the labels of clips that have any."""
    voters = panel.voters(panel.train)
    groups = [[place] for place in voters] if panel.train == ALL else [voters]
    parts = [_said(annotations, group, panel.train == SOFT, whose) for whose, group in enumerate(groups)]
    parts = [part.take(np.flatnonzero((part.target > 0).any(axis=1))) for part in parts]
    return Said(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _said(annotations: np.ndarray, voters: Sequence[int], soft: bool = False, whose: int = 0) -> Said:
    """The labels of all clips by the ``voters`` together: as sets, or (``soft``) as shares of them."""
    truth, known = agreed(annotations, voters)
    target = truth.astype(np.float32)
    if soft:
        named, asked = votes(annotations, voters)
        target, known = (named / np.maximum(asked, 1)).astype(np.float32), asked > 0
    rows = np.arange(len(annotations))
    return Said(rows, foremost(annotations, voters), truth, known, target, np.full_like(rows, whose))


def _judged(data: TaskData[Clips], split: str, panel: Panel) -> Clips:
    """A split with the truth by which predictions are judged."""
    made = judged_by(data.split(split), panel.voters(panel.test))
    if len(made) and made.known is not None and not made.known.any():
        raise UsageError(f"{data.name}: test_annotator={panel.test} said nothing about the {split} clips; use another.")
    return made


def judged_by(clips: Clips, judges: Sequence[int]) -> Clips:
    """``clips`` whose truth is the label sets of the ``judges``."""
    return _with(clips, _said(np.asarray(clips.annotations), judges))


def _with(clips: Clips, said: Said) -> Clips:
    """``clips`` with these labels; no mask where all is known, no target where every clip has one sure label."""
    single = bool(np.isin(said.target, (0, 1)).all() and (said.target.sum(axis=1) == 1).all())
    known, target = None if said.known.all() else said.known, None if single else said.target
    return replace(clips, label=said.label, truth=said.truth, known=known, target=target)


def compared(data: TaskData[Clips]) -> Iterator[tuple[str, list[ClipScores], Clips]]:
    """Each annotator's label sets as predictions for the test clips, and these with the truth of their judges.

    Predictions come in :data:`DRAWS` orders: people name classes without ranking them, and no order of classes that
    were named alike, or not named, may favour anybody. What an annotator said nothing about is not judged.
    """
    panel = Panel.of(data)
    for name, place, judges in panel.compared() if panel is not None else ():
        truth = judged_by(data.test, judges)
        own = np.asarray(data.test.annotations)[:, place]
        known = own >= 0 if truth.known is None else (own >= 0) & truth.known
        truth = replace(truth, truth=truth.truth & known, known=None if known.all() else known)
        if not known.any():
            continue
        logits, generator = np.where(own == 1, SURE, -SURE), np.random.default_rng(place)
        yield name, [ClipScores(logits + LITTLE * generator.random(own.shape)) for _ in range(DRAWS)], truth
