"""What of an unlabelled video enters the ranking, and what the rest teaches, on outputs written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from methods.networks.actionformer.config import ActionFormerConfig
from methods.networks.actionformer.losses import detector_losses
from methods.networks.actionformer.model import Detections, pyramid_points
from methods.networks.actionformer.preparation import Sample, truncate
from methods.networks.actionformer.targets import Targets
from methods.semi_localization.npl import NoisyPseudoLabels
from methods.semi_localization.parts.batches import detector_batch
from methods.semi_localization.parts.candidates import Candidates

CONFIG = ActionFormerConfig(input_dim=2, classes=3, embedding=16, heads=2, windows=(5, 5), max_length=32)


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


class Said:
    """A detector whose network says at three points of one video: (2, 6), (2, 6) nearly, and (10, 14)."""

    pre_threshold, per_level, shortest, nms_sigma, max_segments = 0.001, 100, 0.05, 0.5, 100

    def __init__(self) -> None:
        points = pyramid_points(16, CONFIG)
        logits, offsets = torch.full((1, len(points), 3), -20.0), torch.zeros(1, len(points), 2)
        for point, (scores, reach) in {
            4: ((0.9, 0.6, 0), (2, 2)),
            5: ((0, 0.8, 0), (3, 1)),
            12: ((0, 0, 0.5), (2, 2)),
        }.items():
            for label, score in enumerate(scores):
                if score:
                    logits[0, point, label] = logit(score)
            offsets[0, point] = torch.tensor(reach)
        self.dense = Detections(logits, offsets, torch.ones(1, len(points), dtype=torch.bool), points)

    def on_grid(self, *_: Any) -> Said:
        return self

    def grid(self, row: int) -> None:
        return None

    def outputs(self, *_: Any) -> list[tuple[int, Detections]]:
        return [(0, self.dense)]


class _Run:
    device = torch.device("cpu")
    data = type("Data", (), {"train": None})


def entered(**params: Any) -> list[tuple[int, int, float]]:
    """(point, class, score) of what enters the ranking."""
    part: Candidates = NoisyPseudoLabels(floor=0.1, **params).candidates
    [(_, found)] = part.instances(Said(), None, [0], _Run())  # type: ignore[arg-type]
    return list(zip(found.points.tolist(), found.labels.tolist(), np.round(found.score, 4).tolist(), strict=True))


def test_one_class_per_point_and_decayed_scores() -> None:
    # the second prediction is the first one's segment: exp(-1 / 0.5) of its score is left
    assert entered() == [(4, 0, 0.9), (12, 2, 0.5), (5, 1, pytest.approx(0.8 * np.exp(-2), abs=1e-4))]


def test_every_reading_of_the_candidates() -> None:
    assert entered(point_classes="every", suppression="within", ranked_score="foreground") == [
        (4, 0, 0.9),
        (5, 1, 0.8),
        (12, 2, 0.5),
    ]  # (4, 1) decays to 0.6 exp(-2), below the floor
    assert entered(suppression="within") == [(4, 0, 0.9), (5, 1, 0.8), (12, 2, 0.5)]
    assert entered(ranked_score="foreground") == [(4, 0, 0.9), (12, 2, 0.5), (5, 1, 0.8)]
    assert entered(suppression="none", point_classes="every") == [(4, 0, 0.9), (5, 1, 0.8), (4, 1, 0.6), (12, 2, 0.5)]


def sample(uncertain: list[list[float]]) -> Sample:
    features = np.zeros((16, 2), dtype=np.float32)
    return Sample(features, np.array([[2.0, 6.0]]), np.array([1]), np.array(uncertain).reshape(-1, 2))


def test_points_of_uncertain_segments_are_ignored() -> None:
    none, some = detector_batch([sample([])], CONFIG), detector_batch([sample([[9.0, 13.0], [2.0, 6.0]])], CONFIG)
    assert not none["ignored"].any()
    alone = Sample(np.zeros((16, 2), dtype=np.float32), np.array([[9.0, 13.0]]), np.array([0]))
    assert torch.equal(some["ignored"], detector_batch([alone], CONFIG)["instance"] >= 0)
    assert torch.equal(some["classes"], none["classes"])  # what is kept stays positive where both lie


def test_ignored_points_have_no_classification_loss() -> None:
    batch = detector_batch([sample([[9.0, 13.0]])], CONFIG)
    points = batch["classes"].shape[1]
    logits = torch.randn(1, points, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = Detections(
        logits, torch.ones(1, points, 2), torch.ones(1, points, dtype=torch.bool), torch.zeros(points, 4)
    )
    targets = Targets(batch["classes"], batch["offsets"], batch["instance"])
    sums = detector_losses(found, targets, 0.0, batch["ignored"])
    sums.classification.backward()
    assert logits.grad is not None
    assert torch.equal((logits.grad != 0).all(2), ~batch["ignored"])
    whole = detector_losses(found, targets)
    assert sums.classification < whole.classification
    assert sums.regression == whole.regression


def test_a_crop_moves_uncertain_segments_along() -> None:
    cut = truncate(sample([[8.0, 12.0], [0.0, 1.0]]), 10, lambda low, high: high)  # cells 6 to 16 hold no action
    assert cut.uncertain.tolist() == [[2.0, 6.0]]
    assert len(cut.segments) == 0
