"""Semi-supervised multi-label actor detection: learnable thresholds, unlabeled class balancing (MM 2022)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from methods.actor_detection.parts.base import PUBLISHED, RECOMMENDED
from methods.actor_detection.parts.class_balancing import Balance, GapForm, GapScale, class_counts
from methods.actor_detection.parts.teacher_student import Inferring
from methods.actor_detection.parts.thresholds import (
    Gate,
    PseudoTargets,
    Stretch,
    class_related_thresholds,
    gated_targets,
    imbalance_ratio,
    threshold_penalty,
    thresholded_targets,
)
from suite.method import Batch, Presets, Run, extended, hyper
from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData

EDGE = 1e-3  # learnable thresholds stay this far from 0 and 1


class WithThresholds(nn.Module):
    """A network and, beside it, the (C,) thresholds that learn with it; the teacher copies them without averaging."""

    def __init__(self, model: nn.Module, thresholds: Tensor) -> None:
        super().__init__()
        self.model = model
        self.thresholds = nn.Parameter(thresholds)

    def forward(self, *inputs: Tensor) -> Tensor:
        """The network's logits."""
        logits: Tensor = self.model(*inputs)
        return logits


class MultiLabelSemiSupervised(Inferring):
    """Learnable class-wise thresholds on the teacher's scores; people sampled by their rarest pseudo-label, classes
    weighted by the imbalance that sampling leaves. Every switch is an ablation of the paper; the preset ``literal``
    follows the printed equations where they contradict themselves (eq. 9 divides by a count, eq. 12 by the class's own
    count, thresholds may fall below T_neg).
    """

    name = "multi-label-semi"
    title = "Learnable thresholds + class balancing"
    paper = "Zhang et al., Semi-supervised Learning for Multi-label Video Action Detection, MM 2022"
    aliases = ("mm22",)
    presets: ClassVar[Presets] = extended(
        Inferring.presets,
        literal={**PUBLISHED, "gap_scale": "own", "literal_sampling": True, "clamp_thresholds": False},
        exact={**RECOMMENDED, "gap": "exact"},
    )

    thresholds: str = hyper(
        "learnable", choices=("fixed", "class-related", "learnable"), source="MM 2022 §3.2, Table 6"
    )
    tau_positive: float = hyper(0.9, low=0.0, high=1.0, symbol="τ_pos", source="MM 2022 §4.2.3, Fig. 6")
    tau_fixed: float = hyper(0.5, low=0.0, high=1.0, source="MM 2022 §4.4.1", help="of thresholds=fixed")
    mapping: Stretch = hyper("concave", choices=("concave", "linear", "convex"), symbol="M", source="MM 2022 Table 7")
    steepness: float = hyper(20.0, low=0.1, high=1000.0, symbol="a", source="MM 2022 eq. 6, Fig. 8a")
    penalty_weight: float = hyper(1.0, low=0.0, high=100.0, symbol="λ_1", source="MM 2022 eq. 14, Fig. 8b")
    gate: Gate = hyper("hard", choices=("hard", "soft"), source="MM 2022 Algorithm 1 (hard) or text of §A.2 (soft)")
    threshold_speed: float = hyper(1.0, low=0.0, high=1e6, help="learning rate of the thresholds, in learning rates")
    clamp_thresholds: bool = hyper(True, help="class-related thresholds start at T_neg or above")
    balancing: bool = hyper(True, source="MM 2022 §3.3, Table 5", help="sampling and re-weighting")
    beta: float = hyper(0.9, low=0.0, high=10.0, symbol="β", source="MM 2022 eq. 9, Fig. 5a")
    gamma: float = hyper(0.05, low=0.0, high=10.0, symbol="γ", source="MM 2022 eq. 13, Fig. 5b")
    gap: GapForm = hyper("paper", choices=("paper", "exact"), source="MM 2022 eq. 11, or the exact expectation")
    gap_scale: GapScale = hyper("mean", choices=("mean", "own"), source="MM 2022 eq. 12, its second or first half")
    literal_sampling: bool = hyper(False, source="MM 2022 eq. 9 as printed", help="mean ratio over a count")
    keep_empty: bool = hyper(True, help="sampling keeps people without any pseudo-label, for their negatives")
    distribution: str = hyper(
        "labelled", choices=("labelled", "unlabelled"), symbol="η", timed=True, source="MM 2022 Table 8"
    )

    _balance: Balance | None = None

    def network(self, data: TaskData[Actors]) -> nn.Module:
        labels = torch.from_numpy(data.train.labels[data.train.labelled])
        return WithThresholds(super().network(data), self._start(class_counts(labels)))

    def parameter_groups(self, network: nn.Module) -> list[dict[str, object]]:
        assert isinstance(network, WithThresholds)
        weights = [parameter for parameter in network.model.parameters() if parameter.requires_grad]
        groups: list[dict[str, object]] = [{"params": weights}]
        if self.thresholds == "learnable":
            own = {"params": [network.thresholds], "weight_decay": 0.0, "lr_scale": self.threshold_speed}
            groups.append(own)
        return groups

    def begin(self, run: Run) -> None:
        super().begin(run)
        self._balance = None
        if run.teacher is None:
            return
        labels = torch.from_numpy(run.data.train.labels[run.data.train.labelled]).double()
        if self.distribution == "unlabelled":
            labels = self._inferred(run)
            with torch.no_grad():
                run.network.thresholds.copy_(self._start(class_counts(labels)))  # type: ignore[operator]
        run.memory["balance labels"] = labels.to(torch.uint8)

    def after_step(self, run: Run) -> None:
        if isinstance(run.network, WithThresholds):
            # The penalty -log T_pos of eq. 7 has no value at 0 or below.
            run.network.thresholds.data.clamp_(EDGE, 1 - EDGE)

    def balance(self, run: Run) -> Balance | None:
        if run.teacher is None:
            return None
        if self._balance is None:
            labels = run.memory["balance labels"].double().cpu()
            settings = (self.beta, self.gamma, self.gap, self.gap_scale, self.literal_sampling, self.keep_empty)
            found = Balance.of(labels, *settings) if self.balancing else Balance.none(labels)
            self._balance = found.to(run.device)
        return self._balance

    def pseudo_labels(self, teacher: Tensor, network: nn.Module, part: Batch, run: Run) -> PseudoTargets:
        assert isinstance(network, WithThresholds)
        if self.thresholds == "learnable":
            return gated_targets(teacher, network.thresholds, self.tau_negative, self.steepness, self.gate)
        return thresholded_targets(teacher, network.thresholds.detach(), self.tau_negative)

    def penalty(self, network: nn.Module) -> Tensor | float:
        if self.thresholds != "learnable":
            return 0.0
        assert isinstance(network, WithThresholds)
        return self.penalty_weight * threshold_penalty(network.thresholds)

    def analyses(self, run: Run) -> dict[str, float]:
        if run.teacher is None:
            return {}
        assert isinstance(run.network, WithThresholds)
        values = zip(run.data.classes, run.network.thresholds.tolist(), strict=True)
        return super().analyses(run) | {f"threshold: {name}": value for name, value in values}

    def _start(self, counts: Tensor) -> Tensor:
        """The thresholds before training: eq. 5, or the same for every class."""
        if self.thresholds == "fixed":
            return torch.full((len(counts),), self.tau_fixed)
        floor = self.tau_negative if self.clamp_thresholds else None
        return class_related_thresholds(imbalance_ratio(counts), self.tau_positive, self.mapping, floor).float()

    def _inferred(self, run: Run) -> Tensor:
        """Label sets that the supervised network predicts for unlabelled people: one pass before training."""
        assert isinstance(run.network, WithThresholds)
        _, scores = self.infer(run)
        inferred = thresholded_targets(
            torch.from_numpy(scores), run.network.thresholds.detach().cpu(), self.tau_negative
        )
        return inferred.labels.double()
