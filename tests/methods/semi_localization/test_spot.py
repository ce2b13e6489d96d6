"""SPOT's targets, losses and masks by cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.semi_localization.parts.masks import class_loss, mask_loss, mask_segments, snippet_targets


def test_the_shortest_instance_owns_a_snippet() -> None:
    label, mask = snippet_targets(np.array([[1.0, 5.0], [2.0, 4.0]]), np.array([0, 1]), 6, classes=2)
    assert label.tolist() == [2, 0, 1, 1, 0, 2]
    assert mask[1].tolist() == [0, 1, 1, 1, 1, 0]
    assert mask[2].tolist() == [0, 0, 1, 1, 0, 0]
    assert not mask[[0, 5]].any()


def test_no_segment_is_all_background() -> None:
    label, mask = snippet_targets(np.zeros((0, 2)), np.zeros(0, dtype=int), 4, classes=3)
    assert label.tolist() == [3] * 4
    assert not mask.any()


def test_runs_around_a_snippet() -> None:
    mask = np.array([0.9, 0.1, 0.5, 0.9, 0.7, 0.3, 0.0])
    # thresholds 0.2, 0.4, 0.6, 0.8
    assert mask_segments(mask, 3) == [(2, 6), (2, 5), (3, 5), (3, 4)]
    assert mask_segments(mask, 1) == []
    assert mask_segments(np.ones(3), 0) == [(0, 3)]


def test_class_loss_weighs_both_sides_alike() -> None:
    logits = torch.zeros(1, 3, 2)  # probability one half everywhere
    focal = 0.25 * np.log(2)
    assert class_loss(logits, torch.tensor([[0, 1, 1]])).item() == pytest.approx(focal)
    taken = torch.tensor([[True, False, False]])
    assert class_loss(logits, torch.tensor([[0, 1, 1]]), taken).item() == pytest.approx(focal / 2)


def test_mask_loss() -> None:
    target = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    rows = torch.tensor([[True, False]])
    sure = torch.tensor([[[30.0, -30.0], [0.0, 0.0]]])
    assert mask_loss(sure, target, rows).item() == pytest.approx(0.0, abs=1e-6)
    # sigmoid one half: entropy log 2 (weights 1), Dice 1 - (2 * 0.5 + 1) / (0.5 + 1 + 1)
    even = mask_loss(torch.zeros(1, 2, 2), target, rows).item()
    assert even == pytest.approx(0.4 * np.log(2) + 0.6 * (1 - 2 / 2.5))
    assert mask_loss(sure, target, torch.zeros(1, 2, dtype=torch.bool)).item() == 0
