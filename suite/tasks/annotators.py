"""Several annotators of one dataset: whose labels train, whose labels test, and who is compared with whom.

A card names its annotators and so gets the dials ``annotator`` and ``test_annotator``. Samples keep what each of them
said in ``annotations``; tasks make labels of that each time a dataset is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from suite.errors import DataError, UsageError
from suite.tasks.base import Metric
from suite.tasks.data import SPLITS, TaskData

MAJORITY, SOFT, ALL = "majority", "soft", "all"
SELECTION = "annotator:"  # before an annotator's name: how the ledger tells people's numbers from a run's


@dataclass(frozen=True)
class Panel:
    """The annotators of a dataset by ``names``; ``reference``, if any, is the one whose labels are the truth.

    ``train`` and ``test`` say whose labels are learned from and whose judge: a name, ``majority``, or for training
    ``soft`` (shares of the annotators) or ``all``.
    """

    names: tuple[str, ...]
    reference: str
    train: str
    test: str

    @classmethod
    def of(cls, data: TaskData[Any]) -> Panel | None:
        """The annotators of ``data``, where it has several."""
        stated = data.facts.get("annotators")
        if not isinstance(stated, Mapping) or "names" not in stated:  # a reader may count them under this name
            return None
        return cls(tuple(stated["names"]), stated["reference"], stated.get("train", MAJORITY), stated.get("test", ""))

    def voters(self, asked: str) -> list[int]:
        """Places of those whose labels ``asked`` takes: one by name, or all but the reference."""
        if asked in self.names:
            return [self.names.index(asked)]
        return [place for place, name in enumerate(self.names) if name != self.reference]

    def compared(self) -> Iterator[tuple[str, int, list[int]]]:
        """Each annotator that is compared: the name, its place, and the places of those it is compared with.

        These are the annotator that tests, or where the majority does, the others: nobody is compared with oneself.
        """
        judges = self.voters(self.test)
        for place in self.voters(MAJORITY):
            others = [judge for judge in judges if judge != place]
            if others:
                yield self.names[place], place, others

    @property
    def against(self) -> str:
        """With whom each is compared, in words."""
        return self.test if self.test in self.names else "the majority of the others"


def opened(
    data: TaskData[Any], dials: Mapping[str, Any], said: Callable[[Any], np.ndarray | None]
) -> tuple[TaskData[Any], Panel] | None:
    """``data`` whose facts say whose labels it now gets, and its annotators; None where there is but one.

    ``said`` takes of a split an array (N, A, ...) with a place for each annotator, None where it has none.

    Raises:
        DataError: the card and the reader do not agree on who annotated.
    """
    panel = Panel.of(data)
    for split in SPLITS:
        held = said(data.split(split))
        if held is None and panel is not None:
            raise DataError(
                f"{data.name}: the card names annotators, {split} has no 'annotations'; correct the reader."
            )
        if held is not None and panel is None:
            raise DataError(
                f"{data.name}: {split} has 'annotations'; name their annotators in the card ([annotators])."
            )
        if held is not None and panel is not None and held.shape[1] != len(panel.names):
            counts = f"{split} has {held.shape[1]} annotators, the card names {len(panel.names)}"
            raise DataError(f"{data.name}: {counts}; correct the reader or the card.")
    if panel is None:
        return None
    asked = Panel(panel.names, panel.reference, str(dials["annotator"]), str(dials["test_annotator"]))
    stated = {"names": list(asked.names), "reference": asked.reference, "train": asked.train, "test": asked.test}
    return replace(data, facts={**data.facts, "annotators": stated}), asked


def averaged(drawn: Iterable[Iterable[Metric]]) -> list[Metric]:
    """The means of metrics over several evaluations, without those of classes and those that have no value."""
    values: dict[tuple[str, float | None], list[float]] = {}
    for metrics in drawn:
        for one in metrics:
            if not one.label and np.isfinite(one.value):
                values.setdefault((one.metric, one.threshold), []).append(one.value)
    return [Metric(name, float(np.mean(found)), threshold=at) for (name, at), found in values.items()]


def refuse_soft(data: TaskData[Any], learner: str) -> None:
    """Raise :class:`UsageError` where ``data`` has shares of annotators as labels, which ``learner`` does not take."""
    panel = Panel.of(data)
    if panel is not None and panel.train == SOFT:
        raise UsageError(
            f"{learner} does not learn from shares of annotators: use annotator={MAJORITY}, {ALL} or one of "
            f"{', '.join(panel.names)}."
        )
