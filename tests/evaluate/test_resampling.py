"""Intervals and comparisons: known distributions, coverage, and the arithmetic of seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from suite.errors import UsageError
from suite.evaluate.protocols import ACTIVITYNET
from suite.evaluate.resampling import bootstrap, mean_statistic, paired_bootstrap, resample_weights, two_sided_p
from suite.evaluate.segments import Segments
from suite.evaluate.significance import holm, pooled_deviation, smallest_detectable_difference, summarize
from suite.evaluate.temporal import match_segments, temporal_map


def test_weights_draw_as_many_units_as_there_are():
    weights = resample_weights(7, 50, seed=3)
    assert weights.shape == (50, 7)
    np.testing.assert_array_equal(weights.sum(axis=1), 7)
    np.testing.assert_array_equal(weights, resample_weights(7, 50, seed=3))
    assert not np.array_equal(weights, resample_weights(7, 50, seed=4))
    with pytest.raises(UsageError, match="at least one video"):
        resample_weights(0, 5)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_interval_of_a_mean_is_that_of_the_normal_theory(method):
    values = np.random.default_rng(0).normal(2.0, 1.0, 150)
    interval = bootstrap(mean_statistic(values), len(values), 4000, method=method)
    half = 1.96 * values.std(ddof=1) / len(values) ** 0.5
    assert float(interval.estimate) == pytest.approx(values.mean())
    assert float(interval.low) == pytest.approx(values.mean() - half, abs=0.03)
    assert float(interval.high) == pytest.approx(values.mean() + half, abs=0.03)


def test_bca_agrees_with_scipy_on_a_skewed_mean():
    values = np.random.default_rng(1).exponential(1.0, 60)
    ours = bootstrap(mean_statistic(values), len(values), 8000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=8000, rng=np.random.default_rng(2)).confidence_interval
    assert float(ours.low) == pytest.approx(theirs.low, abs=0.02)
    assert float(ours.high) == pytest.approx(theirs.high, abs=0.02)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    inside = 0
    for trial in range(200):
        values = np.random.default_rng(trial).exponential(1.0, 40)
        interval = bootstrap(mean_statistic(values), 40, 300, level=0.9, seed=trial)
        inside += bool(interval.low <= 1.0 <= interval.high)
    assert 0.82 <= inside / 200 <= 0.96


def test_many_units_leave_out_groups():
    values = np.random.default_rng(0).normal(size=1000)
    interval = bootstrap(mean_statistic(values), 1000, 500)
    assert interval.low < values.mean() < interval.high


def detections(seed: int, noise: float) -> tuple[Segments, Segments]:
    generator = np.random.default_rng(0)
    start = generator.uniform(0, 100, 120)
    truth = Segments(np.arange(120) % 30, np.arange(120) % 4, start, start + 5)
    shift = np.random.default_rng(seed).normal(0, noise, 120)
    return truth, Segments(
        truth.video, truth.label, start + shift, start + shift + 5, np.random.default_rng(seed + 9).random(120)
    )


def test_bootstrap_of_map_never_matches_again(monkeypatch):
    truth, found = detections(1, 2.0)
    matches = match_segments(truth, found, ACTIVITYNET)
    monkeypatch.setattr("suite.evaluate.temporal.match_by_detection", None)
    interval = bootstrap(matches.average_map, len(matches.units), 200)
    monkeypatch.undo()
    assert float(interval.estimate) == pytest.approx(temporal_map(truth, found).average_map)
    assert interval.low < interval.estimate < interval.high
    per_level = bootstrap(matches.mean_ap, len(matches.units), 200)
    assert per_level.low.shape == (10,)
    assert (per_level.low <= per_level.high).all()


def statistics(noise: float, seeds):
    return [match_segments(*detections(seed, noise)).average_map for seed in seeds]


def test_paired_bootstrap_finds_a_real_difference_and_no_false_one():
    good, bad, also_good = statistics(0.3, range(3)), statistics(3.0, range(3)), statistics(0.3, range(10, 13))
    real = paired_bootstrap(good, bad, 30, 400)
    assert real.low > 0
    assert real.p_value < 0.02
    none = paired_bootstrap(good, also_good, 30, 400)
    assert none.low < 0 < none.high
    assert none.p_value > 0.05
    mirrored = paired_bootstrap(bad, good, 30, 400)
    assert mirrored.estimate == pytest.approx(-real.estimate)


def test_pairing_by_video_cancels_what_both_methods_share():
    hard = np.random.default_rng(0).normal(0, 5, 80)
    first, second = mean_statistic(hard + 0.3), mean_statistic(hard)
    paired = paired_bootstrap([first], [second], 80, 500)
    assert paired.high - paired.low < 1e-9
    seeds = [mean_statistic(hard + shift) for shift in (-1.0, 1.0)]
    same = paired_bootstrap(seeds, seeds, 80, 500, paired_seeds=True)
    assert np.abs(same.samples).max() < 1e-12
    crossed = paired_bootstrap(seeds, seeds, 80, 500)
    assert crossed.high - crossed.low > 1.0
    with pytest.raises(UsageError, match="one statistic per seed"):
        paired_bootstrap(seeds, seeds[:1], 80, paired_seeds=True)


def test_two_sided_p():
    assert two_sided_p(np.arange(1, 100)) == pytest.approx(2 / 100)
    assert two_sided_p([-1.0, 1.0]) == 1.0


def test_holm_by_hand_and_against_its_definition():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_array_equal(holm([0.6, np.nan, 0.9]), [1.0, np.nan, 1.0])
    assert holm([]).tolist() == []


def test_summary_of_seeds():
    values = [1.0, 2.0, 4.0]
    summary = summarize(values)
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (summary.low, summary.high) == (pytest.approx(low), pytest.approx(high))
    assert summary.deviation == pytest.approx(np.std(values, ddof=1))
    assert np.isnan(summarize([3.0]).deviation)


def test_smallest_detectable_difference_is_found_with_the_promised_power():
    seeds, deviation = 8, 2.0
    gap = smallest_detectable_difference(deviation, seeds)
    generator = np.random.default_rng(0)
    first, second = generator.normal(0, deviation, (4000, seeds)), generator.normal(gap, deviation, (4000, seeds))
    power = (stats.ttest_ind(first, second, axis=1).pvalue < 0.05).mean()
    assert power == pytest.approx(0.8, abs=0.04)
    assert smallest_detectable_difference(deviation, seeds, comparisons=10) > gap
    assert np.isnan(smallest_detectable_difference(deviation, 1))


def test_pooled_deviation():
    assert pooled_deviation([1.0, 3.0, np.nan], [3, 3, 1]) == pytest.approx(5**0.5)
    assert np.isnan(pooled_deviation([np.nan], [1]))
