"""The planted world: its posterior is right, its ceilings are ceilings, and its limits are known beforehand."""

from __future__ import annotations

import hashlib
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from methods.recognition.assume_negative import AssumeNegative
from methods.recognition.mask_bce import MaskBCE
from methods.recognition.parts.neighbours import label_counts, nearest, pseudo_labels
from methods.recognition.pseudo_single_bce import PseudoSingleBCE
from suite.data import load
from suite.data.checks import check_task_data
from suite.data.planted import bayes
from suite.data.planted.verbs import neighbour_precision, read
from suite.data.storage.cards import find_card
from suite.errors import UsageError
from suite.evaluate import multilabel
from suite.tasks import task
from suite.train.training import Settings, Training
from tests.methods.recognition.worlds import logits_of_test as logits_of
from tests.methods.recognition.worlds import train, world

CHECKSUM = "60a691b3683775a5"  # of the small world, versions 1 to 3 of the card
REDRAWN = "planted-verbs[train=4000,validation=300,test=50,senses=12,verbs=10,channels=8,tail=0.5]"
SMALL_NETWORK = {"hidden": 32, "batch": 32}


def test_generation_is_bit_stable() -> None:
    clips = world().train
    digest = hashlib.sha256(clips.features.tobytes() + clips.label.astype("<i8").tobytes()).hexdigest()
    assert digest.startswith(CHECKSUM), digest[:16]


def test_more_training_clips_leave_the_test_clips_alone() -> None:
    np.testing.assert_array_equal(world().test.features, world(train=500).test.features)


def test_worlds_differ() -> None:
    assert not np.array_equal(world().train.label, world(world=1).train.label)


def test_splits_are_consistent() -> None:
    data = world()
    check_task_data(data)
    for split in ("train", "validation", "test"):
        clips = data.split(split)
        assert clips.truth[np.arange(len(clips)), clips.label].all()
        np.testing.assert_array_equal(clips.oracle["complete"] | clips.truth, clips.oracle["complete"])
    assert (data.validation.truth.sum(axis=1) == 1).all()
    assert sorted(data.facts["groups"]["head"] + data.facts["groups"]["tail"]) == list(range(len(data.classes)))


def test_dials_do_what_they_say() -> None:
    assert world(ambiguity=4.0).facts["cardinality"] == pytest.approx(4.0)
    assert world(ambiguity=1.0).facts["cardinality"] == pytest.approx(1.0)
    ratio = world(norm_ratio=7.0, snr=0.0, backbone_fit=0.0).train.features.std(axis=0)
    assert ratio[:4].mean() / ratio[4:].mean() == pytest.approx(7.0, rel=0.1)
    pulled, free = world(backbone_fit=1.0).train, world(backbone_fit=0.0).train
    assert pulled.features[pulled.label == 0].std(axis=0).max() == pytest.approx(0.0, abs=1e-3)
    np.testing.assert_array_equal(pulled.label, free.label)


def test_synonym_groups_without_overlap() -> None:
    truth = world(overlap=0.0, ambiguity=3.0, verbs=8, senses=40).train.truth
    together = (truth.T.astype(int) @ truth.astype(int)) > 0
    assert (together.sum(axis=1) <= 4).all()


def test_snr_is_the_distance_between_senses() -> None:
    clips = world(snr=20.0, senses=60, tail=0.0, test=2400, norm_ratio=1.0).test
    means = np.stack([clips.features[clips.oracle["sense"] == m].mean(axis=0) for m in range(60)])
    distances = [np.square(means[a] - means[b]).sum() for a, b in combinations(range(60), 2)]
    assert np.sqrt(np.mean(distances)) == pytest.approx(20.0, rel=0.25)  # one draw of a random mixing


def test_posterior_is_calibrated() -> None:
    clips = world(test=6000, snr=2.0).test
    probability, truth = clips.oracle["posterior"], clips.truth
    for low in np.arange(0, 1, 0.1):
        inside = (probability >= low) & (probability < low + 0.1)
        error = 4 * 0.5 / np.sqrt(max(1, inside.sum())) + 1e-3
        assert abs(truth[inside].mean() - probability[inside].mean()) < error if inside.any() else True
    np.testing.assert_allclose(clips.oracle["senses"].sum(axis=1), 1.0)


def test_ceilings_by_brute_force() -> None:
    generator = np.random.default_rng(5)
    members = generator.random((6, 5)) < 0.4
    members[np.arange(6), generator.integers(0, 5, 6)] = True
    posterior = generator.dirichlet(np.ones(6), size=4)
    sizes = members.sum(axis=1)

    def top_set(order: tuple[int, ...]) -> np.ndarray:
        return np.array([members[m, list(order[:k])].sum() / k for m, k in enumerate(sizes)])

    best = np.max([posterior @ top_set(order) for order in permutations(range(5))], axis=0).mean()
    assert bayes.best_top_set(posterior, members) == pytest.approx(best)
    subsets = [np.isin(np.arange(5), s) for r in range(1, 6) for s in combinations(range(5), r)]
    iou = np.max([posterior @ ((members & s).sum(1) / (members | s).sum(1)) for s in subsets], axis=0).mean()
    f1 = np.max([posterior @ (2 * (members & s).sum(1) / (sizes + s.sum())) for s in subsets], axis=0).mean()
    found = bayes.best_sets(posterior, members)
    assert found["IoU"] == pytest.approx(iou)
    assert found["F1"] == pytest.approx(f1)
    assert found["slack"] == pytest.approx(0.0)
    assert bayes.best_top1(posterior, members) == pytest.approx((posterior @ members).max(axis=1).mean())


def test_slack_bounds_what_a_narrow_search_misses() -> None:
    generator = np.random.default_rng(6)
    members = generator.random((30, 9)) < 0.3
    members[:, 0] |= ~members.any(axis=1)
    posterior = generator.dirichlet(np.ones(30), size=50)
    wide, narrow = bayes.best_sets(posterior, members, 9), bayes.best_sets(posterior, members, 4)
    for metric in ("IoU", "F1"):
        assert narrow[metric] <= wide[metric] + 1e-12
        assert wide[metric] <= narrow[metric] + narrow["slack"]


def test_posterior_decisions_reach_their_ceilings() -> None:
    data = world(test=3000)
    clips, ceilings = data.test, data.facts["ceilings"]
    scores = clips.oracle["posterior"]
    assert multilabel.top1_accuracy(scores, clips.truth) == pytest.approx(ceilings["top-1"], abs=0.02)
    assert multilabel.top_set_accuracy(scores, clips.truth) == pytest.approx(ceilings["top-set"], abs=0.02)
    assert multilabel.mean_average_precision(scores, clips.truth) == pytest.approx(ceilings["mAP"], abs=0.03)
    assert multilabel.iou_accuracy(scores, clips.truth) <= ceilings["IoU"] + 0.02


def test_limit_no_noise_all_ceilings_are_one() -> None:
    ceilings = world(snr=100.0).facts["ceilings"]
    for metric in ("top-set", "top-1", "IoU", "F1", "mAP"):
        assert ceilings[metric] == pytest.approx(1.0, abs=1e-6), metric


def test_limit_no_noise_training_reaches_the_ceiling() -> None:
    data = world(snr=60.0, tail=0.0, agreement=1000.0, backbone_fit=0.0)
    method = PseudoSingleBCE(**SMALL_NETWORK)
    logits = logits_of(method, train(method, data, epochs=15))
    assert multilabel.top_set_accuracy(logits, data.test.truth) > 0.97


def test_limit_no_signal_is_chance() -> None:
    data = world(snr=0.0, backbone_fit=0.0)
    ceilings, truth = data.facts["ceilings"], data.test.truth
    assert ceilings["mAP"] == pytest.approx(truth.mean(axis=0).mean(), abs=0.03)
    assert np.ptp(data.test.oracle["posterior"], axis=0).max() < 1e-9
    method = AssumeNegative(**SMALL_NETWORK)
    logits = logits_of(method, train(method, data, epochs=3))
    noise = 4 * 0.5 / np.sqrt(len(truth))
    assert multilabel.top_set_accuracy(logits, truth) < ceilings["top-set"] + noise


def test_limit_no_ambiguity_makes_the_three_losses_one() -> None:
    data = world(ambiguity=1.0, snr=80.0, tail=0.0, senses=10)
    clips = data.train
    counts = label_counts(nearest(clips.features, 10), clips.label, len(data.classes))
    assert not pseudo_labels(counts, clips.label, 10, 0.1).any()
    pseudo = [method(neighbours=10, **SMALL_NETWORK) for method in (MaskBCE, PseudoSingleBCE)]
    methods = [AssumeNegative(**SMALL_NETWORK), *pseudo]
    outcomes = [logits_of(method, train(method, data, epochs=2)) for method in methods]
    np.testing.assert_array_equal(outcomes[0], outcomes[1])
    np.testing.assert_array_equal(outcomes[0], outcomes[2])


def opened(cache: Path, seed: int, dials: str = "") -> Any:
    return load(REDRAWN.replace("]", f"{dials}]"), cache=cache, seed=seed)


def test_seeds_draw_which_valid_verb_is_the_label(tmp_path: Path) -> None:
    first, second = opened(tmp_path, 0), opened(tmp_path, 1)
    packed = opened(tmp_path, 7, ",label_seed=0")
    np.testing.assert_array_equal(packed.train.label, first.train.label)
    np.testing.assert_array_equal(packed.train.features, first.train.features)
    assert len(list(tmp_path.glob("planted-verbs-*"))) == 1, "nothing is packed anew"
    check_task_data(second)
    for one, other in ((first.train, second.train), (first.validation, second.validation)):
        several = one.oracle["complete"].sum(axis=1) > 1
        moved = one.label != other.label
        assert 0.2 < moved[several].mean() < 0.8 and not moved[~several].any()
        assert other.oracle["complete"][np.arange(len(other)), other.label].all()
    np.testing.assert_array_equal(second.validation.truth.argmax(axis=1), second.validation.label)
    assert (second.validation.truth.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(first.test.truth, second.test.truth)
    np.testing.assert_array_equal(first.train.truth, second.train.truth)
    for sense in range(12):  # annotators have the same preferences with every seed
        rows = first.train.oracle["sense"] == sense
        shares = [np.bincount(d.train.label[rows], minlength=10) / rows.sum() for d in (first, second)]
        assert np.abs(shares[0] - shares[1]).max() < 5 * np.sqrt(0.5 / rows.sum())


def test_training_features_follow_their_redrawn_labels(tmp_path: Path) -> None:
    first, second = opened(tmp_path, 0), opened(tmp_path, 1)
    same = first.train.label == second.train.label
    np.testing.assert_array_equal(first.train.features[same], second.train.features[same])
    assert (first.train.features[~same] != second.train.features[~same]).any(axis=1).all()
    fitted = opened(tmp_path, 1, ",backbone_fit=1.0").train  # all the way to the label's mean
    assert fitted.features[fitted.label == 0].std(axis=0).max() == pytest.approx(0.0, abs=1e-3)
    free = [opened(tmp_path, seed, ",backbone_fit=0.0").train for seed in (0, 1)]
    np.testing.assert_array_equal(free[0].features, free[1].features)
    assert not np.array_equal(free[0].label, free[1].label)
    np.testing.assert_array_equal(first.validation.features, second.validation.features)


def test_neighbours_on_disk_are_those_of_the_seeds_features(tmp_path: Path) -> None:
    def total(seed: int, dials: str) -> float:
        data = opened(tmp_path, seed, dials)
        settings = Settings(seed=seed, cache=tmp_path / "derived")
        run = Training(MaskBCE(**SMALL_NETWORK), data, task("recognition"), settings).run
        found = run.cached({"what": "sum"}, lambda: {"sum": data.train.features.sum(axis=0)})["sum"][0]
        assert found == data.train.features.sum(axis=0)[0]
        return float(found)

    assert len({total(seed, "") for seed in (0, 1, 2, 0)}) == 3
    assert len({total(seed, ",backbone_fit=0.0") for seed in (0, 1, 2)}) == 1
    assert len(list((tmp_path / "derived").iterdir())) == 4, "seeds share what is found among the same features"


def twins(**dials):
    card = find_card("planted-verbs")
    values = {"pairing": "twins", "senses": 10, "verbs": 20, "validation": 50, "test": 50, "clips_per_sense": 30}
    return read(card, Path(), card.resolve_dials({**values, **dials}), "recognition")


def test_twins_have_two_verbs_that_no_other_sense_has():
    data = twins()
    assert len(data.train) == 300
    assert (data.train.truth.sum(axis=1) == 2).all()
    assert np.array_equal(np.unique(np.asarray(data.train.truth), axis=0).sum(axis=0), np.ones(20))
    with pytest.raises(UsageError, match="set verbs=20"):
        twins(verbs=40)


def test_neighbours_are_right_where_senses_are_far_apart():
    near, far = (twins(snr=snr, tail=0.0).facts["premises"] for snr in (0.0, 50.0))
    for setting in ("(15, 0.1)", "(10, 0.2)"):
        assert far[f"neighbour precision at {setting}"] == 1.0
        assert near[f"neighbour precision at {setting}"] < 0.4


def test_neighbour_precision_agrees_with_the_pseudo_labels_of_methods():
    data = twins(snr=4.0, tail=1.0)
    counts = label_counts(nearest(np.asarray(data.train.features), 10), np.asarray(data.train.label), 20)
    pseudo = pseudo_labels(counts, np.asarray(data.train.label), 10, 0.2)
    expected = (pseudo & np.asarray(data.train.truth, dtype=bool)).sum() / pseudo.sum()
    assert neighbour_precision(data.train, 10, 0.2) == pytest.approx(expected)
