"""Packs of clips: the published layout, splits that hold what they should, and a posterior that is right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from suite.data import load
from suite.data.readers import epic
from suite.rehearsal import draft, request
from tests.data.test_epic import REAL
from tests.rehearsal.test_localization import digest

CARDS = ["confusing-hmdb-102", "epic-kitchens-100-spmv"]


@pytest.mark.parametrize("name", CARDS)
def test_a_pack_is_read_as_the_published_one(name, write, tmp_path):
    data = load(name, "", write(name, videos=None), tmp_path / "cache")
    assert data.facts["kind"] == "generated" and data.test.features.shape[1] == 8
    assert min(len(data.split(split)) for split in ("train", "validation", "test")) > 40
    for split in ("train", "validation", "test"):
        known = np.asarray(data.split(split).oracle["posterior"])
        assert known.shape == (len(data.split(split)), len(data.classes))


@pytest.mark.parametrize("name", CARDS)
def test_the_same_request_gives_the_same_bytes(name, write, tmp_path):
    one, other, third = (write(name, to=tmp_path / to, seed=seed) for to, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert digest(one) == digest(other) != digest(third)


def test_each_official_split_has_features_and_a_posterior_of_its_own(write, tmp_path):
    root = write("confusing-hmdb-102", videos=None)
    first, second = (load(f"confusing-hmdb-102[split={n}]", "", root, tmp_path / "cache") for n in (1, 2))
    shared, one, other = np.intersect1d(first.train.ids, second.train.ids, return_indices=True)
    assert len(shared) > 20
    assert not np.allclose(first.train.features[one], second.train.features[other])
    assert not np.allclose(first.train.oracle["posterior"][one], second.train.oracle["posterior"][other])


def test_twins_are_equally_probable_and_the_posterior_is_right_as_often_as_it_says(write, tmp_path):
    root = write("confusing-hmdb-102", videos=3060, channels=64, dials={"snr": 4.0})
    test = load("confusing-hmdb-102", "", root, tmp_path / "cache").test
    known = np.asarray(test.oracle["posterior"])
    np.testing.assert_allclose(known[:, :51], known[:, 51:], atol=1e-6)
    likeliest = known[:, :51].argmax(axis=1)
    right = test.truth[np.arange(len(test)), likeliest].mean()
    assert 0.2 < right < 0.98
    assert right == pytest.approx(known.max(axis=1).mean(), abs=0.05)


def test_verb_sets_are_as_probable_as_their_posterior_says(write, tmp_path):
    root = write("epic-kitchens-100-spmv", videos=4000, channels=64)
    test = load("epic-kitchens-100-spmv", "", root, tmp_path / "cache").test
    known = np.asarray(test.oracle["posterior"])
    assert 1.5 < test.truth.sum(axis=1).mean() < 2.6
    rows = (known > 0.3) & (known < 0.7)
    assert rows.sum() > 100
    assert test.truth[rows].mean() == pytest.approx(known[rows].mean(), abs=0.08)


def test_clips_of_one_source_share_background_in_rgb(write, tmp_path):
    dials = {"background": 0.8, "snr": 0.0, "backbone_fit": 0.0, "norm_ratio": 1.0}
    root = write("confusing-hmdb-102", videos=1020, channels=64, dials=dials)
    train = load("confusing-hmdb-102", "", root, tmp_path / "cache").train
    _, unit, counts = np.unique(train.unit, return_inverse=True, return_counts=True)
    rows = np.asarray(train.features)[counts[unit] > 1]
    means = np.stack([np.asarray(train.features)[unit == u].mean(axis=0) for u in np.flatnonzero(counts > 1)])
    assert len(rows) > 50
    share = means.var(axis=0) / rows.var(axis=0)
    assert share[:32].mean() > share[32:].mean() + 0.1


def test_real_validation_segments_are_taken(write, tmp_path):
    if not (REAL / "EPIC_100_validation.csv").is_file():
        pytest.skip(f"no EPIC-Kitchens-100 annotations in {REAL}: set SUITE_DATA")
    root = write("epic-kitchens-100-spmv", videos=400, source=REAL.parent)
    real = epic.read_single_verbs(REAL / "EPIC_100_validation.csv", 97)
    pack = epic.read_single_verbs(Path(root) / "EPIC_KITCHENS_100" / epic.ANNOTATIONS / "EPIC_100_validation.csv", 97)
    assert pack.items() <= real.items()
    whole = draft(request("epic-kitchens-100-spmv", REAL.parent, tmp_path, full=True))
    assert whole.size == pytest.approx(1.28e9, rel=0.05)
    assert "76885 segments, 4096 channels" in whole.holds


def test_the_mark_of_clips_lies_beside_their_features(write):
    root = write("confusing-hmdb-102")
    folder = root / "hmdb51" / "features" / "confusing_hmdb_102" / "ch_epic.tsm_resnet50_flow" / "split2"
    assert "generated" in json.loads((folder / "GENERATED-FEATURES.json").read_text())["warning"]
