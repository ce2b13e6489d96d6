"""Action Selection Learning (Ma et al., CVPR 2021): learn actionness by predicting what a classifier selects.

Every point where the paper and the released code differ is a parameter. Preset ``published`` is the released code,
``literal`` the text of the paper, and ``recommended`` the released code with the classifier trained alone at first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from torch import Tensor, nn

from methods.weak_localization.parts import selection_quality
from methods.weak_localization.parts.networks import ActionSelectionNet, SnippetScores, detached
from methods.weak_localization.parts.proposals import shown_classes
from methods.weak_localization.parts.selection import (
    binary_cross_entropy,
    classification_loss,
    generalized_cross_entropy,
    pool,
    selected_positions,
    top_k,
)
from methods.weak_localization.parts.selection_localizer import SelectionLocalizer, fused
from methods.weak_localization.parts.selection_recipes import LITERAL, PUBLISHED
from suite.method import Batch, Losses, Phase, Presets, Run, Selection, Stopping, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


class ActionSelection(SelectionLocalizer):
    """Classifier F learns from snippets that h selects; actionness G learns which snippets those are.

    Trained jointly from the start, the outcome depends on the draw of the initial weights: G's sigmoid varies more over
    snippets than a softmax over many classes, so the first T_pos is noise, and G learns the noise that it selected.
    ``warm_epochs`` lets F learn alone until its own selection is better than that.

    Ablations of Table 1: ``localize_by`` changes inference only, ``select_by`` training and inference (ASL-s:
    ``class``, ASL-a: ``actionness``), ``target_loss="bce"`` is ASL-BCE. Orders of training of Fig. 5c: ``schedule``.
    """

    name = "action-selection"
    aliases = ("asl",)
    title = "ASL"
    paper = "Ma et al., CVPR 2021"
    presets: ClassVar[Presets] = {
        "recommended": {},
        "published": {**PUBLISHED, "actionness": "two-stream", "beta": 2 / 3, "q": 0.7, "warm_epochs": 0},
        "literal": {**LITERAL, "actionness": "single", "beta": 0.5, "warm_epochs": 0, "epochs": 1000, "patience": 10},
    }
    published_selection: ClassVar[Selection] = "oracle"

    q: float = hyper(
        0.7, low=0.01, high=1.0, symbol="q", source="§4: 0.7", packed=True, help="noise tolerance of L_ASL"
    )
    beta: float = hyper(
        2 / 3, low=0.0, high=1.0, symbol="β", packed=True, source="released code: thirds of s, a_rgb, a_flow; §4: 0.5"
    )
    actionness: str = hyper(
        "two-stream", choices=("two-stream", "single"), source="released code: a G for each modality; §3.2: one"
    )
    target_loss: str = hyper("gce", choices=("gce", "bce"), source="eq. 9; Table 1: ASL-BCE")
    select_by: str = hyper("fused", choices=("fused", "class", "actionness"), help="h in training and in pooling")
    selection_score: str = hyper(
        "same",
        choices=("same", "softmax", "cas"),
        source="eq. 6 writes the class activation; released code: softmax",
        help="class score s in h where positions are chosen; same: as class_score",
    )
    localize_by: str = hyper(
        "same", choices=("same", "fused", "class", "actionness"), post=True, help="h whose thresholds give proposals"
    )
    schedule: str = hyper(
        "joint",
        choices=("joint", "sequential", "alternating"),
        source="§4, Fig. 5c",
        help="both nets at once; F to the end, then G; or F for f_epochs, G for g_epochs, and again",
    )
    warm_epochs: int = hyper(
        10,
        low=0,
        high=10_000,
        source="no paper: joint training from the start fails in about half of the seeds (released code: 0)",
        help="epochs of F alone, selecting by class score, before joint training; at most half of the epochs",
    )
    f_epochs: int = hyper(1, low=1, high=10_000, symbol="n", source="Fig. 5c: F:n G:m")
    g_epochs: int = hyper(1, low=1, high=10_000, symbol="m", source="Fig. 5c: F:n G:m")
    patience: int = hyper(
        0, low=0, high=10_000, help="evaluations without a better validation mAP; 0 trains to the end"
    )

    # Training ---------------------------------------------------------------------------------------------------

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        """F learns ``epochs`` epochs whatever the schedule, and G as many, less those of the warm-up."""
        stopping = Stopping(self.patience, watch=("headline",)) if self.patience else None
        every = min(self.evaluate_every, self.epochs)
        both = Phase("joint", epochs=self.epochs, optimizer=self.optimizer(), evaluate_every=every, stopping=stopping)
        if self.schedule == "sequential":
            return [self.classifier_alone(both, self.epochs), self.only(both, "actionness", self.epochs)]
        if self.schedule == "alternating":
            return list(self.alternation(both))
        warm = min(self.warm_epochs, self.epochs // 2)
        if not warm:
            return [both]
        left = self.epochs - warm
        together = replace(both, epochs=left, evaluate_every=min(every, left), fresh_optimizer=False)
        return [self.classifier_alone(both, warm), together]

    def classifier_alone(self, phase: Phase, epochs: int) -> Phase:
        """F before G has learned anything: no epoch of it is a candidate for the selection."""
        return replace(self.only(phase, "classifier", epochs), select=False, stopping=None)

    def only(self, phase: Phase, part: str, epochs: int, goes_on: bool = False) -> Phase:
        """``phase`` for one of the two nets; it ``goes_on`` with the optimizer of the phase before."""
        every = min(phase.evaluate_every, epochs)
        return replace(
            phase, name=part, epochs=epochs, trainable=(part,), evaluate_every=every, fresh_optimizer=not goes_on
        )

    def alternation(self, phase: Phase) -> Sequence[Phase]:
        """F for n epochs, G for m, until both had their epochs."""
        parts: list[Phase] = []
        left = {"classifier": self.epochs, "actionness": self.epochs}
        while any(left.values()):
            for part, share in (("classifier", self.f_epochs), ("actionness", self.g_epochs)):
                epochs = min(share, left[part])
                left[part] -= epochs
                if epochs:
                    parts.append(self.only(phase, part, epochs, goes_on=bool(parts)))
        return parts

    def network(self, data: TaskData[Videos]) -> nn.Module:
        return ActionSelectionNet(
            data.train.rows.shape[1], self.hidden, len(data.classes), self.actionness == "two-stream"
        )

    def begin_epoch(self, run: Run) -> None:
        """Keep T_pos of the epoch before an evaluation point: its stability is that of consecutive epochs (Fig. 4c)."""
        done = run.epoch + 1
        if done % run.phase.evaluate_every == 0 or done == run.phase.epochs:
            selection_quality.remember(self, run)

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        scores, labels = self.outputs(network, batch, run), self.labels(run, batch)
        chosen = top_k(self.training_selection(detached(scores), run), self.divisor)
        parts: Losses = {}
        if run.phase.name != "actionness":
            parts["classification"] = classification_loss(pool(scores.logits, chosen), labels)
        if run.phase.name != "classifier":
            t_pos, t_neg = self.target(selected_positions(chosen, labels, scores.logits.shape[1]), batch, run)
            parts |= self.actionness_losses(scores, t_pos, t_neg)
        return parts

    def selection(self, scores: SnippetScores, run: Run | None = None) -> Tensor:
        return fused(self.selecting_score(scores, run), scores.actionness, self.select_by, self.beta)

    def training_selection(self, scores: SnippetScores, run: Run) -> Tensor:
        """h of a training step. While F is trained first and G has learned nothing, h is the class score alone."""
        if run.phase.name == "classifier" and self.schedule != "alternating":
            return self.selecting_score(scores, run)
        return self.selection(scores, run)

    def selecting_score(self, scores: SnippetScores, run: Run | None) -> Tensor:
        """s (..., C) of eq. 6."""
        form = self.class_score if self.selection_score == "same" else self.selection_score
        return self.class_scores(scores, run, form)

    def target(self, mask: Tensor, batch: Batch, run: Run) -> tuple[Tensor, Tensor]:
        """What G learns to separate: T_pos and T_neg, masks (B, T)."""
        return mask, 1 - mask

    def actionness_losses(self, scores: SnippetScores, mask: Tensor, other: Tensor) -> Losses:
        """One term for each modality."""
        names = ("rgb", "flow") if self.actionness == "two-stream" else ("all",)
        parts: Losses = {}
        for name, actionness in zip(names, scores.actionness.unbind(dim=-1)):
            if self.target_loss == "gce":
                parts[f"actionness_{name}"] = generalized_cross_entropy(actionness, mask, self.q, other)
            else:
                parts[f"actionness_{name}"] = binary_cross_entropy(actionness, mask, other)
        return parts

    # Inference --------------------------------------------------------------------------------------------------

    @property
    def localizes_by(self) -> str:
        """``fused``, ``class`` or ``actionness``."""
        return self.select_by if self.localize_by == "same" else self.localize_by

    def signal(self, class_score: np.ndarray, actionness: np.ndarray) -> np.ndarray:
        if self.localizes_by == "fused":
            return np.asarray(self.beta * actionness + (1 - self.beta) * class_score)
        return class_score if self.localizes_by == "class" else np.broadcast_to(actionness, class_score.shape)

    def shown(self, probability: np.ndarray) -> np.ndarray:
        """With actionness alone, every proposal is of the one best class (§4, ASL-a)."""
        threshold = np.inf if self.localizes_by == "actionness" else self.class_threshold
        return shown_classes(probability, threshold)

    # Analyses ---------------------------------------------------------------------------------------------------

    def actionness_has_learned(self, run: Run) -> bool:
        """False in a first phase that trains F alone."""
        return run.phase.name != "classifier" or run.phase_index > 0

    def analyses(self, run: Run) -> dict[str, float]:
        """Purity and stability of T_pos, accuracy of G beside the majority rate, precision@100 (Figs. 4 and 5b)."""
        return selection_quality.analyses(self, run, self.actionness_has_learned(run))
