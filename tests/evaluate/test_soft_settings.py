"""Soft suppression of many settings over one pool: what each makes alone, by sigma, least score, limit and parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.evaluate import suppression
from suite.evaluate.scoring.pool import Picked, Pool
from suite.evaluate.scoring.soft_settings import thinned_each
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import SoftRule
from suite.evaluate.suppression_best import SIZE
from suite.evaluate.suppression_blocks import blocks_of

BASE = SoftRule(limit=20, sigma=0.3)


def drawn(seed: int, size: int, decimals: int = 9, videos: int = 4, power: float = 1.0) -> Segments:
    """Candidates of a few videos and classes, with equal scores and times where there are few decimals."""
    generator = np.random.default_rng(seed)
    start = np.round(generator.uniform(0, 30, size), decimals)
    end = start + np.round(generator.exponential(4, size), decimals)
    score = np.round(generator.random(size) ** power, decimals)
    return Segments(generator.integers(0, videos, size), generator.integers(0, 3, size), start, end, score)


def in_a_sweep(pool: Pool, rule: SoftRule) -> tuple[np.ndarray, np.ndarray]:
    """Rows and scores that the suppression of all candidates leaves, then the best of each video."""
    found = pool.found
    assert found.score is not None
    group = suppression.video_class_groups(found.video, found.label) if pool.class_wise else found.video
    rows, values = suppression.soft_nms(
        found.start, found.end, found.score, sigma=rule.sigma, threshold=rule.threshold, width_slope=rule.width_slope,
        strict=rule.strict, min_score=rule.min_score, group=group, plus=rule.plus, pad=rule.pad,
    )  # fmt: skip
    best = suppression.best_rows(values, rule.limit, found.video[rows])
    return rows[best], values[best]


def together(pool: Pool, rules: list[SoftRule]) -> list[Picked]:
    found = dict(thinned_each(pool, rules))
    assert sorted(found) == list(range(len(rules)))
    return [picked for number in range(len(rules)) if (picked := found[number]) is not None]


def alike(pool: Pool, rules: list[SoftRule]) -> None:
    """Together each has what it has alone, and what a sweep leaves."""
    found = together(pool, rules)
    assert len(found) == len(rules)
    for rule, picked in zip(rules, found):
        alone, (rows, score) = pool.thinned(rule), in_a_sweep(pool, rule)
        assert alone is not None and alone.equals(picked), rule
        np.testing.assert_array_equal(picked.rows, rows, str(rule))
        np.testing.assert_array_equal(picked.score, score, str(rule))


RULES = st.builds(
    SoftRule,
    limit=st.sampled_from([1, 3, 40, 1000]),
    sigma=st.sampled_from([0.01, 0.3, 0.3, 8.0]),
    threshold=st.sampled_from([0.0, 0.0, 0.4]),
    width_slope=st.sampled_from([0.0, 0.05]),
    strict=st.booleans(),
    min_score=st.sampled_from([0.0, 1e-3, 0.2, 0.7, 1.5]),
    plus=st.sampled_from([0.0, 1.0]),
    pad=st.sampled_from([0.0, 1e-6]),
)


@given(
    st.integers(0, 10_000),
    st.sampled_from([0, 1, 30, 400, 1500]),
    st.sampled_from([0, 1, 9]),
    st.booleans(),
    st.lists(RULES, min_size=1, max_size=12),
)
@settings(max_examples=80, deadline=None)
def test_settings_together_make_the_picks_that_each_makes_alone(seed, size, decimals, class_wise, rules):
    alike(Pool(drawn(seed, size, decimals), class_wise=class_wise), rules)


@pytest.mark.parametrize("class_wise", [True, False])
@pytest.mark.parametrize("decimals", [1, 9])
def test_settings_of_one_sigma_are_cut_from_the_widest(class_wise, decimals, monkeypatch):
    followed: list[int] = []
    whole = suppression.soft_picks
    monkeypatch.setattr(
        "suite.evaluate.scoring.soft_settings.soft_picks",
        lambda found, videos, rules: followed.append(len(rules)) or whole(found, videos, rules),
    )
    pool = Pool(drawn(1, 900, decimals), class_wise=class_wise)
    rules = [
        replace(BASE, sigma=sigma, limit=limit, min_score=least)
        for sigma in (0.1, 2.0)
        for limit in (1, 7, 60, 5000)
        for least in (0.0, 0.05, 0.4, 0.95, 2.0)
    ]
    alike(pool, rules)
    assert followed == [2]


def test_the_best_of_a_group_is_picked_below_the_least_score():
    # The second group's best comes behind lowered picks of the first, which a higher least score does not make.
    start = np.array([0.0, 0.1, 0.2, 0.3, 50.0])
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.01])
    pool = Pool(Segments(np.zeros(5), np.array([0, 0, 0, 0, 1]), start, start + 10.0, score))
    rules = [replace(BASE, limit=limit, min_score=least) for limit in (1, 2, 3, 4) for least in (0.0, 0.02, 0.5)]
    alike(pool, rules)
    assert together(pool, [*rules, replace(BASE, limit=2, min_score=0.5)])[-1].rows.tolist() == [0, 4]


@pytest.mark.parametrize(("columns", "picks"), [(1, 1), (40, 100), (500, 1)])
def test_parts_of_videos_and_of_rules_change_nothing(columns, picks, monkeypatch):
    pool = Pool(drawn(2, 800, 2, videos=9))
    rules = [replace(BASE, sigma=sigma, limit=limit) for sigma in (0.05, 0.5, 5.0) for limit in (3, 50)]
    whole = together(pool, rules)
    monkeypatch.setattr(suppression, "COLUMNS_AT_ONCE", columns)
    monkeypatch.setattr(suppression, "PICKS_AT_ONCE", picks)
    assert all(one.equals(other) for one, other in zip(whole, together(pool, rules), strict=True))


@pytest.mark.parametrize("power", [1.0, 400.0, 4000.0])
@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e200])
def test_scores_near_the_smallest_numbers_rank_as_in_a_sweep(power, scale):
    found = drawn(3, 500, 9, videos=2, power=power)
    assert found.score is not None
    pool = Pool(replace(found, score=found.score * scale))
    alike(pool, [replace(BASE, sigma=sigma, limit=300) for sigma in (0.001, 0.01, 0.3)])


def test_all_candidates_alike():
    same = np.zeros(3 * SIZE)
    pool = Pool(Segments(same, same, same, same + 5.0, same + 0.5))
    alike(pool, [replace(BASE, limit=limit, min_score=least) for limit in (2, 500) for least in (0.0, 0.4, 0.5)])
    pool = Pool(Segments(same, same, same, same + 5.0, same))
    alike(pool, [replace(BASE, limit=limit) for limit in (2, 500)])


@given(st.integers(0, 10_000), st.sampled_from([0, 1, 31, 33, 700]), st.sampled_from([0.0, 0.5, 2.0]))
@settings(max_examples=40, deadline=None)
def test_blocks_hold_every_place_once_and_the_best_first(seed, size, least):
    pool = Pool(drawn(seed, size, 2))
    ranked = pool.ranked
    blocks = blocks_of(ranked.start, ranked.end, ranked.score, ranked.edges, least, SIZE)
    held = blocks.place < size
    first = np.isin(np.arange(size), ranked.edges[:-1])
    np.testing.assert_array_equal(np.sort(blocks.place[held]), np.flatnonzero(first | (ranked.score >= least)))
    for name, column in (("start", 0), ("end", 1), ("score", 3)):
        np.testing.assert_array_equal(blocks.columns[:, column][held], getattr(ranked, name)[blocks.place[held]])
    assert (np.diff(blocks.place, axis=1)[held[:, 1:]] > 0).all()
    for low, high in zip(blocks.edges[:-1], blocks.edges[1:]):
        assert (np.diff(blocks.place[low:high, 0]) > 0).all()
