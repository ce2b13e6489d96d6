"""Sampling of snippets and snippet labels against the released loader."""

from __future__ import annotations

import re

import numpy as np
import pytest

from methods.weak_localization.parts.sampling import random_index, snippet_labels, uniform_index
from tests.golden import close, golden

GOLD = golden("feature_sampling.npz")
TRUTH = golden("feature_sampling.json")
UNIFORM = sorted(key for key in GOLD if key.startswith("uniform_") and key.endswith("__indices"))
RANDOM = sorted({key.rsplit("__", 1)[0] for key in GOLD if key.startswith("random_")})
RATE = 25 / 16  # snippets a second of the published features


@pytest.mark.parametrize("key", UNIFORM)
def test_uniform_index(key):
    lengths, expected = GOLD[key.replace("indices", "lengths")], GOLD[key]
    for length, row in zip(lengths, expected):
        assert np.array_equal(uniform_index(int(length), expected.shape[1]), row)


@pytest.mark.parametrize("case", RANDOM)
def test_random_index_has_the_reference_range_and_mean(case):
    positions, length = map(int, re.fullmatch(r"random_T(\d+)_L(\d+)", case).groups())
    draws = np.array([random_index(length, positions, np.random.default_rng(seed)) for seed in range(4000)])
    low, high = uniform_index(length, positions), GOLD[f"{case}__observed_max"]
    assert (draws >= low).all()
    assert (draws >= GOLD[f"{case}__observed_min"]).all()
    assert (draws <= high).all()
    assert (GOLD[f"{case}__one_draw"] <= draws.max(axis=0)).all()
    assert (GOLD[f"{case}__one_draw"] >= draws.min(axis=0)).all()
    if f"{case}__mean_of_4000_draws" in GOLD:
        # Two means of 4,000 uniform draws over at most span + 1 integers: six standard errors of their difference.
        width = high - low + 1
        spread = np.sqrt((width**2 - 1) / 12 * 2 / 4000)
        assert (np.abs(draws.mean(axis=0) - GOLD[f"{case}__mean_of_4000_draws"]) <= 6 * spread + 1e-12).all()


def per_class_and_any(video: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    rows, classes = TRUTH["ground_truth"][name], TRUTH["class_names"]
    start, end = (np.array([float(row[i]) for row in rows]) for i in range(2))
    label = np.array([classes.index(row[2]) for row in rows], dtype=int)
    inside = snippet_labels(start, end, label, int(GOLD[f"video{video}__num_snippets"]), len(classes), RATE)
    return inside, inside.any(axis=1)


@pytest.mark.parametrize("video", range(len(TRUTH["videos"])), ids=TRUTH["videos"])
def test_snippet_labels_on_real_annotations(video):
    inside, any_action = per_class_and_any(video, TRUTH["videos"][video])
    assert np.array_equal(inside, GOLD[f"video{video}__snippet_labels_unsampled_per_class"])
    present = GOLD[f"video{video}__video_label"].astype(bool)
    official = GOLD[f"video{video}__snippet_labels_unsampled_as_official"].astype(bool)
    assert np.array_equal(any_action[:, None] & present[None, :], official)
    for key in GOLD:
        if match := re.fullmatch(rf"video{video}__snippet_labels_(\d+)_as_official", key):
            index = uniform_index(len(any_action), int(match[1]))
            assert np.array_equal(any_action[index][:, None] & present[None, :], GOLD[key].astype(bool))
        if match := re.fullmatch(rf"video{video}__any_action_fraction_(\d+)", key):
            close(any_action[uniform_index(len(any_action), int(match[1]))].mean(), GOLD[key], 1e-12)


@pytest.mark.parametrize("video", range(len(TRUTH["videos"])), ids=TRUTH["videos"])
def test_sampled_features(video):
    features = np.concatenate([GOLD[f"video{video}__rgb_features"], GOLD[f"video{video}__flow_features"]], axis=1)
    checks = GOLD[f"video{video}__sampled_features_first_middle_last"]
    positions = next(int(m[1]) for k in GOLD if (m := re.match(rf"video{video}__any_action_fraction_(\d+)", k)))
    sampled = features[uniform_index(len(features), positions)]
    close(sampled[[0, positions // 2, -1]], checks, 1e-12)
    close(sampled.sum(axis=0, dtype=np.float64), GOLD[f"video{video}__sampled_features_sum_per_channel"], 1e-9)
