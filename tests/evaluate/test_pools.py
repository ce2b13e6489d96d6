"""Pools of candidates: what many settings share gives each the numbers that it has alone, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.evaluate import suppression
from suite.evaluate.protocols import ACTIVITYNET, THUMOS_KIT, WTALC, TemporalProtocol
from suite.evaluate.scoring.pool import Picked, Pool, Thinning
from suite.evaluate.scoring.rematch import Rematch, covers
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import NonMaximumSuppression, SoftRule
from suite.evaluate.temporal import temporal_map

VIDEOS = np.arange(4)
PROTOCOLS = [
    ACTIVITYNET.at(0.1, 0.5, 0.9),
    WTALC,
    TemporalProtocol("strict", (0.25, 0.5), strict=True, interpolation="eleven", min_prediction_length=1.0),
]


def drawn(seed: int, size: int, decimals: int, scored: bool = True) -> Segments:
    """Segments of 5 videos (one does not take part) and 4 classes, with many equal scores and times."""
    generator = np.random.default_rng(seed)
    video, label = generator.integers(0, 5, size), generator.integers(0, 4, size)
    start = np.round(generator.uniform(0, 20, size), decimals)
    end = start + np.round(generator.exponential(4, size), decimals)
    return Segments(video, label, start, end, np.round(generator.random(size), decimals) if scored else None)


def plainly(found: Segments, rule: Thinning) -> Segments:
    """What the suppression of all candidates and then the choice of the best leave."""
    assert found.score is not None
    group = suppression.video_class_groups(found.video, found.label)
    columns, values = (found.start, found.end, found.score), found.score
    if isinstance(rule, SoftRule):
        rows, values = suppression.soft_nms(
            *columns, sigma=rule.sigma, threshold=rule.threshold, width_slope=rule.width_slope, strict=rule.strict,
            min_score=rule.min_score, group=group, plus=rule.plus, pad=rule.pad,
        )  # fmt: skip
        best = suppression.best_rows(values, rule.limit, found.video[rows])
        rows, values = rows[best], values[best]
    elif rule.kind == "none":
        return found
    elif rule.kind == "hard":
        rows = suppression.hard_nms(*columns, rule.threshold, group=group, plus=rule.plus)
        values = found.score[rows]
    else:
        rows, values = suppression.one_shot_decay(
            *columns, threshold=rule.threshold, sigma=rule.sigma, group=group, plus=rule.plus
        )
    chosen = found.take(rows)
    return Segments(chosen.video, chosen.label, chosen.start, chosen.end, values)


def same(one: Segments, other: Segments) -> None:
    for name in ("video", "label", "start", "end", "score"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)


THRESHOLDS, PLUS = st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.sampled_from([0.0, 1.0])
SIGMAS = st.sampled_from([0.05, 0.35, 2.0])
RULES = st.one_of(
    st.builds(NonMaximumSuppression, st.sampled_from(["none", "hard", "decay"]), THRESHOLDS, SIGMAS, PLUS),
    st.builds(
        SoftRule,
        st.sampled_from([1, 5, 200]),
        SIGMAS,
        THRESHOLDS,
        st.sampled_from([0.0, 0.05]),
        st.booleans(),
        st.sampled_from([0.0, 0.1, 0.5]),
        PLUS,
    ),
)


@given(st.integers(0, 10_000), st.sampled_from([0, 1, 3, 40, 300]), st.sampled_from([1, 2, 9]), RULES)
@settings(max_examples=150, deadline=None)
def test_a_setting_leaves_what_it_leaves_alone(seed, size, decimals, rule):
    found = drawn(seed, size, decimals)
    picked = Pool(found).thinned(rule)
    assert picked is not None
    same(picked.segments, plainly(found, rule))


@given(st.integers(0, 10_000), st.sampled_from([0, 2, 60, 300]), st.sampled_from([1, 9]), RULES)
@settings(max_examples=100, deadline=None)
def test_matching_once_gives_the_average_precisions_of_matching_each(seed, size, decimals, rule):
    found, truth = drawn(seed, size, decimals), drawn(seed + 1, 30, 1, scored=False)
    pool = Pool(found)
    for protocol in PROTOCOLS:
        assert covers(protocol)
        shared = Rematch(truth, pool, protocol, VIDEOS)
        picked = pool.thinned(rule)
        expected = temporal_map(truth, plainly(found, rule), protocol, VIDEOS)
        np.testing.assert_array_equal(shared.average_precision(picked), expected.ap)
        np.testing.assert_array_equal(shared.map_per_tiou(picked), expected.map_per_tiou)


@pytest.mark.parametrize("kind", ["none", "hard", "decay"])
def test_groups_that_a_setting_does_not_have_take_no_part(kind):
    found = drawn(3, 200, 2)
    kept = np.isin(found.label, [0, 2]) & (found.video != 1)
    rule = NonMaximumSuppression(kind, 0.3, 0.3)
    picked = Pool(found).thinned(rule, kept)
    assert picked is not None
    same(picked.segments, plainly(found.take(np.flatnonzero(kept)), rule))


def test_what_is_not_covered_says_so():
    found = drawn(5, 40, 2)
    assert found.score is not None
    negative = Pool(Segments(found.video, found.label, found.start, found.end, found.score - 0.5))
    assert negative.thinned(SoftRule()) is None
    assert not covers(THUMOS_KIT) and not covers(ACTIVITYNET.at(0.0, 0.5))


def test_predictions_that_look_alike_are_told_apart():
    found, truth = drawn(6, 60, 9), drawn(7, 30, 1, scored=False)
    pool = Pool(found)
    rematch = Rematch(truth, pool, ACTIVITYNET.at(0.1, 0.3), VIDEOS)
    half = np.full(2, 0.5)
    several = [Picked(pool, np.array(rows), half) for rows in ([0, 59], [29, 30], [1, 58], [0, 59])]
    fresh = [Rematch(truth, pool, ACTIVITYNET.at(0.1, 0.3), VIDEOS).map_per_tiou(picked) for picked in several]
    np.testing.assert_array_equal([rematch.map_per_tiou(picked) for picked in several], fresh)
    assert rematch.map_per_tiou(several[0]) is rematch.map_per_tiou(several[3])
