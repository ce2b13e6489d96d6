"""EPR: only annotated classes are learned, and the number of predicted labels is kept near its expectation."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from methods.recognition.parts import losses
from methods.recognition.parts.base import SinglePositive, labels_per_clip
from suite.method import hyper


class ExpectedPositives(SinglePositive):
    """-log p_y / C plus the squared distance of the batch's mean number of positives from its expectation."""

    name = "epr"
    title = "EPR"
    paper = "Cole et al., Multi-Label Learning from Single Positive Labels, CVPR 2021"

    cardinality: float = hyper(
        0.0,
        low=0.0,
        high=10_000.0,
        symbol="k",
        source="CVPR 2021: the dataset's mean, a statistic of complete labels",
        help="mean number of labels per clip; 0: as the dataset states it",
    )

    def network(self, data: Any) -> nn.Module:
        self.mean_labels = labels_per_clip(self.cardinality, data, self.name)
        return super().network(data)

    def objective(self, logits: Tensor, target: Tensor) -> Tensor:
        positive = -(target * F.logsigmoid(logits)).mean()
        return positive + losses.label_count_penalty(logits.sigmoid(), self.mean_labels)
