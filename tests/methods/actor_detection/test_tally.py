"""Counting pseudo-labels, and the thresholds that would have been best."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.actor_detection.parts.tally import Tally, best_thresholds
from suite.method import Run
from tests.methods.actor_detection.worlds import clip_world


def test_best_threshold_by_hand() -> None:
    scores = np.array([[0.9, 0.8, 0.5], [0.7, 0.6, 0.5], [0.4, 0.3, 0.5], [0.1, 0.2, 0.1]])
    truth = np.array([[1, 0, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0]], dtype=bool)
    best = best_thresholds(scores, truth)
    assert best[:2].tolist() == pytest.approx([0.55, 0.45])
    assert best[2] == pytest.approx(0.3), "equal scores are positives together"
    assert np.isnan(best_thresholds(scores, np.zeros_like(truth))).all()


def test_best_threshold_is_no_worse_than_any_on_a_grid() -> None:
    generator = np.random.default_rng(0)
    truth = generator.random((300, 4)) < 0.2
    scores = np.clip(generator.normal(0.3 + 0.3 * truth, 0.15), 0, 1)

    def f1(threshold: np.ndarray) -> np.ndarray:
        given = scores > threshold
        return 2 * (given & truth).sum(axis=0) / (given.sum(axis=0) + truth.sum(axis=0))

    best = f1(best_thresholds(scores, truth))
    assert all((best >= f1(np.full(4, level)) - 1e-12).all() for level in np.linspace(0, 1, 101))


def test_tally_counts_what_was_given_kept_and_right() -> None:
    data = clip_world(groups={"head": [0, 1], "tail": [2, 3]})
    run = Run(data, torch.nn.Identity(), 0, torch.device("cpu"), lambda *_: None, lambda *_: {})
    Tally.empty(4).store(run)
    rows = torch.from_numpy(np.flatnonzero(~data.train.labelled)[:3])
    truth = torch.from_numpy(data.train.labels[rows.numpy()]).float()
    given = truth.clone()
    given[0] = 0
    Tally.note(run, given, torch.tensor([1.0, 0.0, 1.0]), rows)
    curves = Tally.of(run).curves(run, data)
    assert curves["people without pseudo-label"] == pytest.approx((given.sum(dim=1) == 0).float().mean().item())
    assert curves["pseudo: class 1"] == pytest.approx(given[:, 1].sum().item() / 3)
    assert curves["kept: class 1"] == pytest.approx(given[2, 1].item() / 3)
    assert curves["pseudo-label precision"] in (0.0, 1.0)
    assert curves["pseudo-label recall"] == pytest.approx((given.sum() / truth.sum()).item())
    assert Tally.of(run).curves(run, data) == {}, "counted anew since the last point"
