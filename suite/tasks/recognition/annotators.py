"""Label sets of several annotators: votes, agreement, and how well people predict each other.

``annotations`` (N, A, C) int8 hold what each of A annotators said about each class of a clip: 1 present, 0 absent, -1
nothing. A class has the majority of a clip's annotators where more than half of those who said something about it call
it present. Where exactly half do, the label is unknown, and so is every class that somebody named in a clip in which no
class has a majority: unknown is not negative.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from suite.errors import UsageError
from suite.tasks.annotators import ALL, SOFT, Panel, opened
from suite.tasks.data import TaskData
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
    train, kept = _training(data.train, panel)
    if not len(train):
        raise UsageError(f"{data.name}: annotator={panel.train} gives no training clip a label; use another.")
    facts = dict(data.facts)
    if kept < len(data.train) or panel.train == ALL:
        facts["features_of"] = f"annotator={panel.train}"
    facts["annotators"] = {**facts["annotators"], "clips left out": len(data.train) - kept}
    validation, test = (_judged(data, split, panel) for split in ("validation", "test"))
    return replace(data, train=train, validation=validation, test=test, facts=facts)


def _training(clips: Clips, panel: Panel) -> tuple[Clips, int]:
    """The training clips as ``panel.train`` labels them, and how many of the ``clips`` have a label."""
    voters = panel.voters(panel.train)
    if panel.train != ALL:
        made = labelled(clips, voters, soft=panel.train == SOFT)
        return made, len(made)
    parts = [(panel.names[place], labelled(clips, [place])) for place in voters]
    ids = np.concatenate([[f"{one}@{name}" for one in part.ids] for name, part in parts])
    rows = np.concatenate([np.flatnonzero(np.isin(clips.ids, part.ids)) for _, part in parts])
    return _together(clips.take(rows), [part for _, part in parts], ids), len(np.unique(rows))


def _together(taken: Clips, parts: Sequence[Clips], ids: np.ndarray) -> Clips:
    """``taken`` with the labels of the ``parts``, one after the other."""
    known = np.concatenate([np.ones_like(p.truth) if p.known is None else p.known for p in parts])
    label, truth = (np.concatenate([getattr(part, name) for part in parts]) for name in ("label", "truth"))
    return _settled(replace(taken, ids=ids), label, truth, known, truth.astype(np.float32))


def labelled(clips: Clips, voters: Sequence[int], soft: bool = False) -> Clips:
    """Those of the training ``clips`` that have a label by the ``voters``, with it: sets, or (``soft``) shares."""
    held = np.asarray(clips.annotations)
    truth, known = agreed(held, voters)
    named, said = votes(held, voters)
    target = truth.astype(np.float32)
    if soft:
        target, known = (named / np.maximum(said, 1)).astype(np.float32), said > 0
    made = _settled(clips, foremost(held, voters), truth, known, target)
    has = (target > 0).any(axis=1)
    return made if has.all() else made.take(np.flatnonzero(has))


def _judged(data: TaskData[Clips], split: str, panel: Panel) -> Clips:
    """A split with the truth by which predictions are judged."""
    made = judged_by(data.split(split), panel.voters(panel.test))
    if len(made) and made.known is not None and not made.known.any():
        raise UsageError(f"{data.name}: test_annotator={panel.test} said nothing about the {split} clips; use another.")
    return made


def judged_by(clips: Clips, judges: Sequence[int]) -> Clips:
    """``clips`` whose truth is the label sets of the ``judges``."""
    held = np.asarray(clips.annotations)
    truth, known = agreed(held, judges)
    return _settled(clips, foremost(held, judges), truth, known, truth.astype(np.float32))


def _settled(clips: Clips, label: np.ndarray, truth: np.ndarray, known: np.ndarray, target: np.ndarray) -> Clips:
    """``clips`` with these labels; no mask where all is known, no target where every clip has one sure label."""
    single = bool(np.isin(target, (0, 1)).all() and (target.sum(axis=1) == 1).all())
    return replace(
        clips,
        label=np.asarray(label, dtype=np.int64),
        truth=truth,
        known=None if known.all() else known,
        target=None if single else target,
    )


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
