"""Suppression of proposals block by block."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from methods.semi_localization.parts import proposal_suppression
from methods.semi_localization.parts.proposal_suppression import ANY, GROWING, suppressed
from suite.evaluate.segments import Segments

VIDEOS, CLASSES = 7, 3


def proposals(count: int) -> Segments:
    """Proposals of some of the videos, with equal scores among them."""
    draws = np.random.default_rng(0)
    video = np.sort(draws.choice([0, 1, 2, 4, 6], size=count))
    start = draws.uniform(0, 50, count)
    score = np.round(draws.random(count), 2)
    return Segments(video, draws.integers(CLASSES, size=count), start, start + draws.uniform(1, 20, count), score)


@pytest.mark.parametrize("rule", [ANY, GROWING])
@pytest.mark.parametrize("voting", [0.0, 0.8])
@pytest.mark.parametrize("count", [0, 1, 500])
def test_blocks_of_videos_give_what_all_at_once_give(rule, voting, count, monkeypatch):
    found, duration = proposals(count), np.linspace(60, 90, VIDEOS)
    rule = replace(rule, sigma=0.4, min_score=0.001, limit=20)
    whole = suppressed(found, rule, duration, voting)
    for at_once in (1, 90, 250):
        monkeypatch.setattr(proposal_suppression, "AT_ONCE", at_once)
        parts = suppressed(found, rule, duration, voting)
        for name in ("video", "label", "start", "end", "score"):
            assert np.array_equal(getattr(parts, name), getattr(whole, name)), (name, at_once)
    assert len(whole) == min(count, 20 * len(np.unique(found.video)))


def test_blocks_hold_whole_videos(monkeypatch):
    monkeypatch.setattr(proposal_suppression, "AT_ONCE", 4)
    video = np.array([0, 0, 0, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 5])
    assert proposal_suppression._blocks(video) == [0, 5, 13, 14]
