"""What semi-supervised methods need of a network that localizes actions, whichever network it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from methods.semi_localization.parts.part import Part
from suite.evaluate.scoring.pool import Pool, Thinning
from suite.evaluate.segments import Segments
from suite.method import Batch, Losses, Run, Scores
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

NOTHING = Segments.empty()
COLUMNS = ("video", "label", "start", "end", "score")  # of scores


def scores_of(parts: Iterable[Segments]) -> Scores:
    """The scored candidates of all parts, in their order, as raw scores.

    Column by column, each one's pieces let go: BMN's published recipe keeps all candidates, gigabytes of them.
    """
    empty = Segments.empty(scored=True)
    pieces: dict[str, list[np.ndarray]] = {name: [getattr(empty, name)] for name in COLUMNS}
    for part in parts:
        for name, column in pieces.items():
            column.append(getattr(part, name))
    return {name: np.concatenate(pieces.pop(name)) for name in COLUMNS}


def candidates_of(scores: Scores) -> Segments:
    """What :func:`scores_of` was given, in one."""
    return Segments(*(scores[name] for name in COLUMNS))


class Labels(NamedTuple):
    """What a batch is drawn from: training videos, and the segments (seconds) that they teach.

    ``uncertain`` segments may be actions or not: a detector that can leaves them out of its classification loss.
    """

    rows: np.ndarray
    segments: Segments
    uncertain: Segments = NOTHING


class Detector(Part):
    """A localization network: how it is built, fed with segments, trained and read."""

    def check(self, data: TaskData[Videos]) -> None:
        """Raise :class:`UsageError` where ``data`` lacks something that the network will need."""

    def network(self, data: TaskData[Videos]) -> nn.Module:
        """A freshly initialized network for ``data``."""
        raise TypeError(f"{type(self).__name__} builds no network: implement network().")

    def parameter_groups(self, network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        """Optimizer groups and the decay of each."""
        return [{"params": list(network.parameters()), "weight_decay": weight_decay}]

    def count(self, videos: Videos, labels: Labels) -> int:
        """What batches of these videos are made of, counted: an epoch is as many divided by the batch."""
        return len(labels.rows)

    def batches(self, run: Run, labels: Labels, size: int, generator: np.random.Generator) -> Iterator[Batch]:
        """Endless training batches of ``size`` videos, or of what else this network sees at once."""
        raise TypeError(f"{type(self).__name__} draws no batches: implement batches().")

    def loss(self, network: nn.Module, batch: Batch, run: Run, group: str) -> Losses:
        """Supervised losses of a batch; ``group`` (labelled, unlabelled) keeps running statistics apart."""
        raise TypeError(f"{type(self).__name__} has no loss: implement loss().")

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        """Scored candidates of every video before suppression."""
        raise TypeError(f"{type(self).__name__} scores nothing: implement score().")

    def decode(self, scores: Scores, samples: Videos) -> Segments:
        """Candidates to predictions; only ``post`` hyper-parameters matter here."""
        raise TypeError(f"{type(self).__name__} predicts nothing: implement decode().")

    # What searches share (suite.tasks.localization.scoring.search) ------------------------------------------------

    def pool(self, scores: Scores, samples: Videos) -> Pool:
        """The candidates, which depend on no ``post`` parameter; asked for where :meth:`thinning` says something."""
        return Pool(candidates_of(scores))

    def thinning(self) -> Thinning | None:
        """What :meth:`decode` does with the candidates; None where it does more than thinning them."""
        return None
