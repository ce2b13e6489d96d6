"""Resampling with false positives summed: the same numbers, to the last bit, as with every detection by itself."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from suite.evaluate.kernels import IGNORED
from suite.evaluate.protocols import ACTIVITYNET
from suite.evaluate.ranking import RankedMatches
from suite.evaluate.resampling import resample_weights
from suite.evaluate.segments import Segments
from suite.evaluate.temporal import match_segments
from suite.tasks.scoring.condensed import resampled_mean_ap
from tests.benchmarks.bench_evaluate import planted


def matched(interpolation: str, predictions: int = 4000, seed: int = 0) -> RankedMatches:
    truth, found = planted(20, 6, 120, predictions, seed)
    return match_segments(truth, found, replace(ACTIVITYNET, interpolation=interpolation), np.arange(22))


@pytest.mark.parametrize("interpolation", ["envelope", "none", "eleven"])
@pytest.mark.parametrize("ignored", [0.0, 0.02])
def test_the_values_are_those_of_all_rows(interpolation: str, ignored: float) -> None:
    matches = matched(interpolation)
    mask = np.random.default_rng(1).random(len(matches.row)) < ignored
    matches = matches.ignoring(mask & (matches.verdict < 0))
    assert (matches.verdict == IGNORED).any() == bool(ignored)
    condensed = resampled_mean_ap(matches)
    assert condensed != matches.mean_ap
    weights = np.concatenate([np.ones((1, 22)), resample_weights(22, 40)])
    assert condensed(weights).tolist() == matches.mean_ap(weights).tolist()


def test_classes_without_detections_and_files_without_any() -> None:
    truth, found = planted(20, 6, 120, 4000)
    for kept in (found.take(found.label != 2), found.take(found.label == 5), found.take(np.zeros(0, dtype=int))):
        matches = match_segments(truth, kept, ACTIVITYNET)
        weights = resample_weights(len(matches.units), 10)
        assert resampled_mean_ap(matches)(weights).tolist() == matches.mean_ap(weights).tolist()


def test_where_most_detections_are_true_nothing_is_summed() -> None:
    truth = planted(20, 6, 120, 1)[0]
    found = Segments(truth.video, truth.label, truth.start, truth.end, np.linspace(0, 1, 120))
    matches = match_segments(truth, found, ACTIVITYNET)
    assert resampled_mean_ap(matches) == matches.mean_ap


def test_it_is_many_times_faster() -> None:
    matches = matched("envelope", predictions=100_000)
    condensed, weights = resampled_mean_ap(matches), resample_weights(22, 100)
    condensed(weights)

    def seconds(of) -> float:
        start = time.process_time()
        of(weights)
        return time.process_time() - start

    assert min(seconds(matches.mean_ap) for _ in range(2)) > 5 * min(seconds(condensed) for _ in range(3))
