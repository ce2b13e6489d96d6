"""EPR: only annotated classes are learned, and the number of predicted labels is kept near its expectation."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from methods.recognition.parts import losses
from methods.recognition.parts.base import COLE, LOG_OFFSET, RECOMMENDED, SinglePositive, labels_per_clip
from suite.method import Presets, hyper


class ExpectedPositives(SinglePositive):
    """-log p_y / C plus the squared distance of the batch's mean number of positives from its expectation."""

    name = "epr"
    title = "EPR"
    unknown_labels = "constrained by the expected number of labels alone, like every class that is not annotated"
    soft_labels = True
    paper = "Cole et al., Multi-Label Learning from Single Positive Labels, CVPR 2021"
    presets: ClassVar[Presets] = {"recommended": RECOMMENDED, "published": COLE}

    cardinality: float = hyper(
        0.0,
        low=0.0,
        high=10_000.0,
        symbol="k",
        source="CVPR 2021: the dataset's mean, a statistic of complete labels",
        help="mean number of labels per clip; 0: as the dataset states it",
    )
    log_offset: float = LOG_OFFSET

    def network(self, data: Any) -> nn.Module:
        self.mean_labels = labels_per_clip(self.cardinality, data, self.name)
        return super().network(data)

    def objective(self, logits: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
        return losses.expected_positive_regularization(logits, target, self.mean_labels, self.log_offset)
