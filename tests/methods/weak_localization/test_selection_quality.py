"""What is said of T_pos and actionness, against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.weak_localization.parts.selection import selected_positions, top_k
from methods.weak_localization.parts.selection_quality import (
    area_under_roc,
    purity,
    purity_by_chance,
    purity_ceiling,
    stability,
    t_pos_on,
    verdict,
)


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 5, (6, 40)) / 4, generator.random((6, 40)) < 0.3  # many ties


def test_area_under_roc_counts_pairs():
    actionness, action = drawn()
    action[0], action[1] = True, False  # these two videos say nothing
    areas = []
    for values, inside in zip(actionness[2:], action[2:]):
        pairs = values[inside][:, None] - values[~inside][None]
        areas.append(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    assert area_under_roc(actionness, action) == pytest.approx(np.mean(areas))
    assert area_under_roc(-actionness, action) == pytest.approx(1 - np.mean(areas))
    assert np.isnan(area_under_roc(actionness, np.ones_like(action)))


def test_purity_lies_between_chance_and_ceiling():
    selected = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]], dtype=bool)  # the last video has no T_pos
    action = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]], dtype=bool)
    assert purity(selected, action) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert purity_by_chance(selected, action) == pytest.approx((1 / 4 + 2 / 4) / 2)
    assert purity_ceiling(selected, action) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_random_positions_are_as_pure_as_chance():
    generator = np.random.default_rng(1)
    action = generator.random((400, 100)) < generator.random((400, 1))
    selected = generator.random((400, 100)).argsort(axis=1) < 12
    assert purity(selected, action) == pytest.approx(purity_by_chance(selected, action), abs=0.02)


@pytest.mark.parametrize("levels", [3, 1000])
def test_t_pos_is_what_a_training_step_selects(levels):
    """With ties between positions (three levels) as well; one video repeats snippets, another has no label."""
    draws = torch.Generator().manual_seed(levels)
    selection = torch.randint(levels, (200, 5), generator=draws) / levels
    grid = torch.stack([torch.arange(first, first + 40) for first in (0, 50, 100, 160)])
    grid[3] = 160 + torch.arange(40) // 4
    labels = np.array([[1, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [1, 1, 1, 1, 1]])
    whole = selected_positions(top_k(selection[grid], 8), torch.from_numpy(labels).float(), 40).numpy() > 0
    assert np.array_equal(t_pos_on(grid, selection, labels, 8), whole) and not whole[1].any()


def test_stability_is_the_mean_overlap():
    now = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], dtype=bool)
    before = np.array([[0, 1, 1, 0], [1, 0, 0, 0]], dtype=bool)
    assert stability(now, before) == (pytest.approx((1 / 3 + 1) / 2), pytest.approx(1 / 3))


@pytest.mark.parametrize(
    ("found", "collapsed"),
    [
        ({"T_pos purity": 0.6, "T_pos purity by chance": 0.3, "G AUC": 0.7}, 0.0),
        ({"T_pos purity": 0.3, "T_pos purity by chance": 0.3, "G AUC": 0.7}, 1.0),
        ({"T_pos purity": 0.6, "T_pos purity by chance": 0.3, "G AUC": 0.49}, 1.0),
        ({"G AUC": 0.49}, 1.0),
        ({"T_pos purity": 0.6, "T_pos purity by chance": 0.3, "G AUC": float("nan")}, 0.0),
    ],
)
def test_either_sign_is_a_collapse(found, collapsed):
    assert verdict(found) == {"collapsed": collapsed}


def test_nothing_known_is_no_verdict():
    assert verdict({"G accuracy": 0.9}) == {}
