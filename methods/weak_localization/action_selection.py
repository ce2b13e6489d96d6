"""Action Selection Learning (Ma et al., CVPR 2021): learn actionness by predicting what a classifier selects.

Every point where the paper and the released code differ is a parameter; the presets ``code`` and ``paper`` set all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from torch import Tensor, nn

from methods.weak_localization.parts import selection_quality
from methods.weak_localization.parts.networks import ActionSelectionNet, SnippetScores
from methods.weak_localization.parts.proposals import chosen_classes
from methods.weak_localization.parts.selection import (
    binary_cross_entropy,
    classification_loss,
    generalized_cross_entropy,
    pool,
    selected_positions,
    top_k,
)
from methods.weak_localization.parts.selection_localizer import SelectionLocalizer, fused
from suite.method import Batch, Losses, Phase, Run, Stopping, Value, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

PAPER: dict[str, Value] = {
    "weight_decay": 1e-4,
    "actionness": "single",
    "beta": 0.5,
    "class_score": "cas",
    "sampling": "interpolation",
    "threshold_low": 0.0,
    "thresholds": 10,
    "strict": True,
    "nms": "hard",
    "nms_plus": 0.0,
    "outer": 0.25,
    "epochs": 1000,
    "patience": 10,
}


class ActionSelection(SelectionLocalizer):
    """Classifier F learns from snippets that h selects; actionness G learns which snippets those are.

    Ablations of Table 1: ``localize_by`` changes inference only, ``select_by`` training and inference (ASL-s:
    ``class``, ASL-a: ``actionness``), ``target_loss="bce"`` is ASL-BCE. Orders of training of Fig. 5c: ``schedule``.
    """

    name = "action-selection"
    title = "ASL"
    paper = "Ma et al., CVPR 2021"
    presets: ClassVar = {"code": {}, "paper": PAPER}

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
    localize_by: str = hyper(
        "same", choices=("same", "fused", "class", "actionness"), post=True, help="h whose thresholds give proposals"
    )
    schedule: str = hyper(
        "joint",
        choices=("joint", "sequential", "alternating"),
        source="§4, Fig. 5c",
        help="both nets at once; F to the end, then G; or F for f_epochs, G for g_epochs, and again",
    )
    f_epochs: int = hyper(1, low=1, high=10_000, symbol="n", source="Fig. 5c: F:n G:m")
    g_epochs: int = hyper(1, low=1, high=10_000, symbol="m", source="Fig. 5c: F:n G:m")
    patience: int = hyper(
        0, low=0, high=10_000, help="evaluations without a better validation mAP; 0 trains to the end"
    )

    # Training ---------------------------------------------------------------------------------------------------

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        """Each net gets ``epochs`` epochs of updates whatever the schedule."""
        stopping = Stopping(self.patience, watch=("headline",)) if self.patience else None
        every = min(self.evaluate_every, self.epochs)
        both = Phase("joint", epochs=self.epochs, optimizer=self.optimizer(), evaluate_every=every, stopping=stopping)
        if self.schedule == "sequential":
            return [self.only(both, "classifier", self.epochs), self.only(both, "actionness", self.epochs)]
        if self.schedule == "alternating":
            return list(self.alternation(both))
        return [both]

    def only(self, phase: Phase, part: str, epochs: int, goes_on: bool = False) -> Phase:
        """``phase`` for one of the two nets; it ``goes_on`` with the optimizer of the phase before."""
        from dataclasses import replace

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

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        scores, labels = self.outputs(network, batch, run), self.labels(run, batch)
        kept = self.described(scores.logits.detach(), scores.actionness.detach())
        chosen = top_k(self.training_selection(kept, run), self.divisor)
        parts: Losses = {}
        if run.phase.name != "actionness":
            parts["classification"] = classification_loss(pool(scores.logits, chosen), labels)
        if run.phase.name != "classifier":
            mask, other = self.target(selected_positions(chosen, labels, scores.logits.shape[1]), batch, run)
            parts |= self.actionness_losses(scores, mask, other)
        return parts

    def training_selection(self, kept: dict[str, Tensor], run: Run) -> Tensor:
        """h of a training step. While F is trained first and G still knows nothing, h is the class score alone."""
        if self.schedule == "sequential" and run.phase.name == "classifier":
            return kept["class_score"]
        return self.selection(kept["class_score"], kept["actionness"])

    def target(self, mask: Tensor, batch: Batch, run: Run) -> tuple[Tensor, Tensor]:
        """What G learns to tell apart: T_pos and T_neg, masks (B, T)."""
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

    def selection(self, class_score: Tensor, actionness: Tensor) -> Tensor:
        return fused(class_score, actionness, self.select_by, self.beta)

    # Inference --------------------------------------------------------------------------------------------------

    @property
    def localizes_by(self) -> str:
        """``fused``, ``class`` or ``actionness``."""
        return self.select_by if self.localize_by == "same" else self.localize_by

    def signal(self, class_score: np.ndarray, actionness: np.ndarray) -> np.ndarray:
        if self.localizes_by == "fused":
            return np.asarray(self.beta * actionness + (1 - self.beta) * class_score)
        return class_score if self.localizes_by == "class" else np.broadcast_to(actionness, class_score.shape)

    def classes(self, probability: np.ndarray) -> np.ndarray:
        """With actionness alone, the one best class stands on every proposal (§4, ASL-a)."""
        threshold = np.inf if self.localizes_by == "actionness" else self.class_threshold
        return chosen_classes(probability, threshold)

    # Analyses ---------------------------------------------------------------------------------------------------

    def analyses(self, run: Run) -> dict[str, float]:
        """Purity and stability of T_pos, accuracy of G beside the majority rate, precision@100 (Figs. 4 and 5b)."""
        return selection_quality.actionness_analyses(self, run)
