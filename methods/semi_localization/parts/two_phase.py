"""Self-training (NPL, §3.1, eqs. 1-3): learn from labelled videos, label the others, learn from both.

The module does not depend on a network. Videos for which no pseudo-label survives are left out of the second phase:
taken as they are, they would teach that no action happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

import numpy as np
import torch
from torch import nn

from methods.semi_localization.parts import pseudo_labels
from methods.semi_localization.parts.base import SemiLocalization, unlabelled_rows
from methods.semi_localization.parts.detector import NOTHING, Labels
from methods.semi_localization.parts.label_analyses import analyse
from methods.semi_localization.parts.pseudo_labels import Predicted
from methods.semi_localization.parts.ranking import top_filter
from suite.evaluate.segments import Segments
from suite.method import Batch, Losses, Phase, Run, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

LABELLED, BOTH = "labelled", "pseudo-labelled"  # the two phases
STARTS: dict[str, Literal["continue", "average", "fresh"]] = {
    "raw": "continue",
    "average": "average",
    "fresh": "fresh",
}


class TwoPhase(SemiLocalization):
    """A phase on labelled videos, pseudo-labels for the others, a phase on both: each step takes a batch of each kind.

    A subclass defines what it predicts (``predictions``) and may change what it keeps of that (``keep``) and how it
    learns from it (``learn``). As it stands: the best ``n_pos`` predictions of a video by score, with the supervised
    losses.
    """

    alpha: float = hyper(1.0, low=0.0, high=100.0, symbol="α", source="NPL §4.2, eq. 1", help="of the unlabelled loss")
    n_pos: int = hyper(
        15, low=1, high=10_000, symbol="N_pos", source="NPL §4.2, Table 5", help="pseudo-labels per video"
    )
    start: str = hyper(
        "raw", choices=("raw", "average", "fresh"), help="weights that the second phase starts from (paper: silent)"
    )
    labels_from: str = hyper("average", choices=("average", "raw"), help="first-phase weights that give pseudo-labels")
    refresh: int = hyper(0, low=0, high=10_000, help="label anew every so many evaluations; 0: once (as STAC)")
    keep_supervised: bool = hyper(True, help="the second phase keeps the labelled loss (false: Fig. 6)")
    boundary_noise: float = hyper(
        0.0,
        low=0.0,
        high=10.0,
        help="an experiment: deviation that moves each boundary of a pseudo-label, in durations",
    )

    # What subclasses decide ---------------------------------------------------------------------------------------

    def predictions(self, network: nn.Module, rows: Sequence[int], run: Run) -> Iterator[tuple[int, Predicted]]:
        """Each of the training videos ``rows``, in any order, with what the network predicts for it."""
        raise TypeError(f"{self.name} predicts no pseudo-labels: implement predictions().")

    def keep(self, found: Predicted, classes: int) -> np.ndarray:
        """Rows of one video's predictions that become pseudo-labels."""
        return top_filter(found.score, self.n_pos)

    def uncertain(self, run: Run) -> Segments:
        """Predictions that are neither pseudo-labels nor background."""
        return NOTHING

    def learn(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        """The losses on a batch of pseudo-labelled videos (eq. 3), before they are weighted by ``alpha``."""
        losses = self.detector.loss(network, batch, run, "unlabelled")
        return {f"pseudo_{name}": part for name, part in losses.items()}

    # Phases -------------------------------------------------------------------------------------------------------

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        first = self.phase(data, LABELLED, self.labelled_steps(data), select=False)
        second = self.phase(data, BOTH, self.unlabelled_steps(data))
        return [first, replace(second, start=STARTS[self.start])]

    def after_step(self, run: Run) -> None:
        # After the last step and not when the next phase begins: entering that replaces this phase's average of the
        # weights.
        if self.ends(run, LABELLED):
            averaged = run.teacher if self.labels_from == "average" else None
            self.label(averaged or run.network, run)

    def begin(self, run: Run) -> None:
        if run.phase.name == BOTH and not pseudo_labels.has_pseudo_labels(run):  # a budget without a first phase
            self.label(run.network, run)

    def begin_epoch(self, run: Run) -> None:
        if run.phase.name == BOTH and self.refresh and run.epoch and run.epoch % self.refresh == 0:
            self.label(run.teacher or run.network, run)

    # Labelling ----------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def label(self, network: nn.Module, run: Run) -> None:
        """Predict the unlabelled videos; remember what enters the ranking, and which of it is kept."""
        training = network.training
        network.eval()
        rows = unlabelled_rows(run.data)
        predicted = dict(self.predictions(network, rows.tolist(), run))
        found = [predicted[int(row)] for row in rows]
        network.train(training)
        # What is kept is decided on the predictions as they are: noise makes labels worse and chooses no others.
        kept = [self.keep(one, len(run.data.classes)) for one in found]
        if self.boundary_noise:
            found = [self._moved(one, int(row), run) for row, one in zip(rows, found, strict=True)]
        pseudo_labels.remember(run, rows, found, kept)

    def _moved(self, found: Predicted, row: int, run: Run) -> Predicted:
        """``found`` of training video ``row`` with noise on its boundaries; a tenth of each duration remains."""
        noise = np.random.default_rng([run.seed, row]).standard_normal((2, len(found.start)))
        length = found.end - found.start
        start, end = (
            found.start + self.boundary_noise * length * noise[0],
            found.end + self.boundary_noise * length * noise[1],
        )
        middle, reach = (start + end) / 2, np.maximum(end - start, length / 10) / 2
        start, end = middle - reach, middle + reach
        return found._replace(start=np.clip(start, 0, None), end=np.clip(end, None, run.data.train.duration[row]))

    # Learning -----------------------------------------------------------------------------------------------------

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        kept = pseudo_labels.kept(run) if run.phase.name == BOTH else Segments.empty()
        # Without any pseudo-label the second phase goes on learning from the labelled videos alone.
        if not len(kept):
            return super().batches(run, generator)
        labels = Labels(np.unique(kept.video), kept, self.uncertain(run))
        return islice(self.joint_batches(run, labels, generator), self.evaluate_steps)

    def joint_batches(self, run: Run, labels: Labels, generator: np.random.Generator) -> Iterator[Batch]:
        """Endless batches of labelled and of pseudo-labelled videos."""
        others = self.unlabelled_batches(run, labels, generator)
        for known, guessed in zip(self.labelled_batches(run, generator), others, strict=False):
            yield {"labelled": known, "unlabelled": guessed}

    def unlabelled_batches(self, run: Run, labels: Labels, generator: np.random.Generator) -> Iterator[Batch]:
        """Endless batches of pseudo-labelled videos."""
        return self.detector.batches(run, labels, self.batch, generator)

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        parts: Losses = {}
        if run.phase.name == LABELLED or self.keep_supervised or "unlabelled" not in batch:
            parts = super().loss(network, batch, run)
        if "unlabelled" in batch:
            parts |= {name: self.alpha * part for name, part in self.learn(network, batch["unlabelled"], run).items()}
        return parts

    def analyses(self, run: Run) -> dict[str, float]:
        """What pseudo-labels are worth against the withheld annotation (Table 3, Figs. 3-5)."""
        return analyse(run) if run.phase.name == BOTH and pseudo_labels.has_pseudo_labels(run) else {}
