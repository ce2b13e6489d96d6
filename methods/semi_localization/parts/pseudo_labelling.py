"""Self-training in two phases: learn from labelled videos, label the others, learn from both (NPL, §3.1, eqs. 1-3).

This part knows no network: it says when videos are labelled, what is remembered and what it is worth. Videos for which
no pseudo-label survives are left out of the second phase: taken as they are, they would teach that nothing happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import nn

from methods.semi_localization.parts import label_quality
from methods.semi_localization.parts.base import SemiLocalization, unlabelled_rows
from methods.semi_localization.parts.ranking import top_filter
from suite.data.samples import TaskData, Videos
from suite.evaluate.segments import Segments
from suite.method import Phase, Run, hyper

STARTS: dict[str, Literal["continue", "average", "fresh"]] = {
    "raw": "continue",
    "average": "average",
    "fresh": "fresh",
}
PSEUDO = ("video", "label", "start", "end", "score", "ambiguity", "kept")


class Predicted(NamedTuple):
    """N predictions for one video that enter the ranking; times in seconds."""

    labels: np.ndarray
    start: np.ndarray
    end: np.ndarray
    score: np.ndarray
    ambiguity: np.ndarray


class PseudoLabelling(SemiLocalization):
    """Pre-training, pseudo-labelling, joint training. Subclasses predict, rank and choose.

    As it stands: ranked by foreground score, the best ``positives`` of a video kept.
    """

    alpha: float = hyper(1.0, low=0.0, high=100.0, symbol="α", source="NPL §4.2, eq. 1")
    positives: int = hyper(15, low=1, high=10_000, symbol="N_pos", source="NPL §4.2, Table 5")
    floor: float = hyper(
        0.1, low=0.0, high=1.0, help="lowest score, after suppression, of a prediction that enters the ranking"
    )
    start: str = hyper(
        "raw", choices=("raw", "average", "fresh"), help="weights that the second phase starts from (paper: silent)"
    )
    labels_from: str = hyper("average", choices=("average", "raw"), help="first-phase weights that give pseudo-labels")
    refresh: int = hyper(0, low=0, high=10_000, help="label anew every so many evaluations; 0: once (as STAC)")

    # What subclasses decide ---------------------------------------------------------------------------------------

    def predictions(self, network: nn.Module, row: int, run: Run) -> Predicted:
        """What the network says of training video ``row``, after suppression, above the floor."""
        raise TypeError(f"{self.name} predicts no pseudo-labels: implement predictions().")

    def rank(self, score: np.ndarray, ambiguity: np.ndarray) -> np.ndarray:
        """(N,) what the predictions of a video are ranked by."""
        return score

    def choose(self, labels: np.ndarray, rank: np.ndarray, score: np.ndarray, classes: int) -> np.ndarray:
        """Rows of one video that become pseudo-labels."""
        return top_filter(rank, self.positives)

    # Phases -------------------------------------------------------------------------------------------------------

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        first = self.supervised_phase(data, "labelled", self.labelled_steps(data), select=False)
        second = self.supervised_phase(data, "pseudo-labelled", self.unlabelled_steps(data))
        return [first, replace(second, start=STARTS[self.start])]

    def after_step(self, run: Run) -> None:
        if run.phase_index == 0 and self.is_last_step(run):
            averaged = run.teacher if self.labels_from == "average" else None
            self.label(averaged or run.network, run)

    def begin(self, run: Run) -> None:
        if run.phase_index == 1 and "pseudo_video" not in run.memory:  # a budget without a first phase
            self.label(run.network, run)

    def begin_epoch(self, run: Run) -> None:
        if run.phase_index == 1 and self.refresh and run.epoch and run.epoch % self.refresh == 0:
            self.label(run.teacher or run.network, run)

    # Pseudo-labels ------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def label(self, network: nn.Module, run: Run) -> None:
        """Predict the unlabelled videos; remember what enters the ranking, and which of it is kept."""
        training = network.training
        network.eval()
        parts = [self._label_video(network, int(row), run) for row in unlabelled_rows(run.data)]
        network.train(training)
        columns = zip(*parts, strict=True) if parts else [[np.zeros(0)]] * len(PSEUDO)
        for name, column in zip(PSEUDO, columns, strict=True):
            run.memory[f"pseudo_{name}"] = torch.from_numpy(np.concatenate(column))

    def _label_video(self, network: nn.Module, row: int, run: Run) -> list[np.ndarray]:
        found = self.predictions(network, row, run)
        kept = np.zeros(len(found.labels), dtype=bool)
        rank = self.rank(found.score, found.ambiguity)
        kept[self.choose(found.labels, rank, found.score, len(run.data.classes))] = True
        return [np.full(len(kept), row), *found, kept]

    def pseudo_segments(self, run: Run, kept: bool = True) -> Segments:
        """The remembered predictions in seconds: those kept as pseudo-labels, or all that entered the ranking."""
        found = Segments(*(run.memory[f"pseudo_{name}"].cpu().numpy() for name in PSEUDO[:5]))
        return found.take(run.memory["pseudo_kept"].cpu().numpy().astype(bool)) if kept else found

    # Analyses -----------------------------------------------------------------------------------------------------

    def analyses(self, run: Run) -> dict[str, float]:
        """What pseudo-labels are worth against the withheld annotation (Table 3, Figs. 3-5); learning never sees it."""
        if run.phase_index == 0 or "pseudo_video" not in run.memory:
            return {}
        truth = run.data.train.segments
        hidden = truth.take(np.flatnonzero(~np.asarray(run.data.train.labelled)[truth.video]))
        values = {**self._worth(run, hidden), **self._separation(run, hidden), **self._class_shares(run, hidden)}
        return {name: float(value) for name, value in values.items() if np.isfinite(value)}

    def _worth(self, run: Run, hidden: Segments) -> dict[str, float]:
        """Table 3: class accuracy and overlap of the pseudo-labels, and how many there are a video."""
        kept, ranked = self.pseudo_segments(run), self.pseudo_segments(run, kept=False)
        worth = label_quality.quality(kept, hidden)
        videos = max(1, len(unlabelled_rows(run.data)))
        return {
            "pseudo class accuracy": worth.class_accuracy,
            "pseudo tIoU": worth.mean_tiou,
            "pseudo labels": worth.number / videos,
            "ranked predictions": len(ranked) / videos,
        }

    def _separation(self, run: Run, hidden: Segments) -> dict[str, float]:
        """Figs. 3 and 5: how well score and agreement of neighbours tell predictions that overlap the truth."""
        ranked = self.pseudo_segments(run, kept=False)
        _, overlap = label_quality.nearest_truth(ranked, hidden)
        score, agreement = np.asarray(ranked.score), -run.memory["pseudo_ambiguity"].cpu().numpy()
        values = {
            "score correlation": label_quality.correlation(score, overlap),
            "agreement correlation": label_quality.correlation(agreement, overlap),
        }
        for name, measure in (("score", score), ("agreement", agreement)):
            tenths = label_quality.binned_overlap(measure, overlap)
            values |= {f"tIoU by {name}: {place}": value for place, value in enumerate(tenths, start=1)}
        return values

    def _class_shares(self, run: Run, hidden: Segments) -> dict[str, float]:
        """Fig. 4: the classes of the pseudo-labels beside those of the truth."""
        kept, classes = self.pseudo_segments(run), run.data.classes
        values = {"class imbalance": label_quality.class_imbalance(kept, hidden, len(classes))}
        for stage, segments in (("truth", hidden), ("pseudo", kept)):
            shares = label_quality.class_shares(segments, len(classes))
            values |= {f"{stage}: {name}": share for name, share in zip(classes, shares, strict=True)}
        return values
