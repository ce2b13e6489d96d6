"""Every recognition method on a small planted world."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.recognition.assume_negative import AssumeNegative
from methods.recognition.ce import CrossEntropy
from methods.recognition.em_apl import AsymmetricPseudoLabels
from methods.recognition.entropy_maximization import EntropyMaximization
from methods.recognition.epr import ExpectedPositives
from methods.recognition.ideal_mask import IdealMask
from methods.recognition.mask_bce import MaskBCE
from methods.recognition.parts import losses, neighbour_labelled
from methods.recognition.parts.base import SinglePositive
from methods.recognition.planted_posterior import PlantedPosterior
from methods.recognition.pseudo_single_bce import PseudoSingleBCE
from methods.recognition.role import OnlineEstimation
from methods.recognition.weak_assume_negative import WeakAssumeNegative
from suite import registry
from suite.errors import UsageError
from suite.evaluate import multilabel
from tests.methods.recognition.worlds import logits_of_test, started, train, world

ALL = [m for m in registry.methods().values() if m.task == "recognition"]
TRAINED = [m for m in ALL if issubclass(m, SinglePositive)]
NETWORK = {"hidden": 32, "batch": 50}


@pytest.mark.parametrize("method", TRAINED, ids=[m.name for m in TRAINED])
def test_gradients_reach_every_parameter(method: type[SinglePositive]) -> None:
    data = world()
    instance = method(**NETWORK)
    run = started(instance, data)
    run.network.train()
    (batch, *_) = instance.batches(run, np.random.default_rng(0))
    parts = instance.loss(run.network, batch, run)
    sum(parts.values()).backward()
    for name, parameter in run.network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    grouped = {id(p) for group in instance.parameter_groups(run.network) for p in group["params"]}
    assert grouped == {id(p) for p in run.network.parameters()}


@pytest.mark.parametrize("method", TRAINED, ids=[m.name for m in TRAINED])
def test_learns_and_is_deterministic(method: type[SinglePositive]) -> None:
    data = world()
    runs = [train(method(**NETWORK), data, epochs=12) for _ in range(2)]
    logits = [logits_of_test(method(**NETWORK), run) for run in runs]
    np.testing.assert_array_equal(logits[0], logits[1])
    chance = data.test.truth.mean(axis=0).max()
    assert multilabel.top1_accuracy(logits[0], data.test.truth) > chance + 0.15
    loss = method(**NETWORK)
    loss.network(data)
    assert np.isfinite(loss.validation_loss(runs[0].network, data.validation, runs[0]))


def test_batches_cover_an_epoch_without_repeats() -> None:
    method, data = AssumeNegative(batch=64), world()
    batches = [b["index"] for b in method.batches(started(method, data), np.random.default_rng(1))]
    assert {len(b) for b in batches} == {64}
    assert len(torch.cat(batches).unique()) == 64 * (len(data.train) // 64)
    whole = AssumeNegative(batch=5000)
    assert [len(b["index"]) for b in whole.batches(started(whole, data), np.random.default_rng(1))] == [len(data.train)]


def test_the_training_of_the_released_code_is_published() -> None:
    (phase,) = AssumeNegative(preset="published").phases(world())
    assert (phase.epochs, phase.optimizer.name, phase.optimizer.lr, phase.optimizer.weight_decay) == (
        500,
        "adam",
        5e-6,
        0,
    )
    assert phase.stopping is not None and phase.stopping.patience == 20
    assert MaskBCE(preset="published-hmdb").epochs == 1000
    network = AssumeNegative(preset="published").network(world())
    kinds = [type(layer).__name__ for layer in network.modules() if not list(layer.children())]
    assert kinds == ["Linear", "ReLU", "BatchNorm1d"] * 2 + ["Linear"]


def test_pseudo_labels_are_compared_with_the_truth() -> None:
    data = world(snr=8.0)
    method = MaskBCE(neighbours=10, tau=0.2, **NETWORK)
    run = started(method, data)
    found = method.analyses(run)
    pseudo, truth = run.memory["pseudo"].numpy(), data.train.truth.copy()
    assert not pseudo[np.arange(len(pseudo)), data.train.label].any()
    truth[np.arange(len(truth)), data.train.label] = False
    assert found["pseudo-label precision"] == pytest.approx((pseudo & truth).sum() / pseudo.sum())
    assert found["pseudo-label recall"] == pytest.approx((pseudo & truth).sum() / truth.sum())
    assert found["neighbour recall"] == 1.0
    assert found["pseudo-labels"] == pytest.approx(pseudo.sum() / len(pseudo))


def test_named_settings() -> None:
    assert (MaskBCE().neighbours, MaskBCE().tau) == (15, 0.1)
    notebook = MaskBCE(preset="notebook")
    assert (notebook.neighbours, notebook.tau) == (10, 0.2)
    assert MaskBCE(preset="notebook", neighbours=7).neighbours == 7


def test_fewer_neighbours_read_the_same_cache() -> None:
    keys = []
    for k in (5, 15, 32, 40):
        method = MaskBCE(neighbours=k, **NETWORK)
        run = started(method, world())
        keys.append(method._key(run))
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_approximate_search_reports_its_recall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour_labelled, "SHARED_WIDTH", 3)  # cells of a small world hold few: others are exact
    method = MaskBCE(search="cells", probes=1, neighbours=3, **NETWORK)
    run = started(method, world())
    assert 0.0 < method.analyses(run)["neighbour recall"] < 1.0


def test_refreshed_pseudo_labels_follow_the_network() -> None:
    data = world()
    method = PseudoSingleBCE(refresh=2, **NETWORK)
    run = train(method, data, epochs=2)
    before = run.memory["pseudo"].clone()
    run.epoch = 3
    method.begin_epoch(run)
    assert torch.equal(run.memory["pseudo"], before)
    run.epoch = 4
    method.begin_epoch(run)
    assert not torch.equal(run.memory["pseudo"], before)
    assert not run.memory["pseudo"][torch.arange(len(before)), torch.from_numpy(data.train.label)].any()


def test_single_classes_may_have_their_own_settings() -> None:
    data = world()
    method = MaskBCE(neighbours_by_class=f"{data.classes[2]}:40 3:7", tau_by_class="2:1", **NETWORK)
    run = started(method, data)
    k, tau = method.settings(run)
    assert (k[2], k[3], k[0], tau[2], tau[0]) == (40, 7, 15, 1.0, 0.1)
    assert not run.memory["pseudo"][torch.from_numpy(data.train.label == 2)].any(), "no share of votes exceeds 1"
    for wrong in ("nowhere:3", "2:", "2:0", "2:1.5"):
        with pytest.raises(UsageError, match=r"neighbours_by_class|not class:value"):
            started(MaskBCE(neighbours_by_class=wrong, **NETWORK), data)


def test_random_neighbours_agree_no_more_than_chance() -> None:
    data = world(snr=8.0)
    found, random = (
        started(method, data).memory["neighbour agreement"]
        for method in (MaskBCE(**NETWORK), MaskBCE(neighbours_from="random", **NETWORK))
    )
    chance = (np.bincount(data.train.label) / len(data.train)) ** 2
    assert abs(float(random) - chance.sum()) < 0.03 < float(found) - float(random)


def test_ideal_pseudo_labels_are_the_other_true_labels() -> None:
    data = world()
    run = started(IdealMask(**NETWORK), data)
    both = run.memory["pseudo"].numpy() | (data.train.label[:, None] == np.arange(len(data.classes)))
    np.testing.assert_array_equal(both, data.train.truth)


def test_an_oracle_needs_the_truth() -> None:
    data = world()
    hidden = type(data)(**{**vars(data), "facts": {**data.facts, "complete": ["test"]}})
    with pytest.raises(UsageError, match="needs complete training labels"):
        started(IdealMask(**NETWORK), hidden)


def test_thresholds() -> None:
    scores = {"logits": np.zeros((3, 41), dtype=np.float32)}
    samples = world().test
    assert AssumeNegative().decode(scores, samples).threshold == 0.5
    assert EntropyMaximization().decode(scores, samples).threshold == 0.75
    assert WeakAssumeNegative().decode(scores, samples).threshold == pytest.approx(1 / (1 + 1 / 40))
    assert WeakAssumeNegative(threshold=0.3).decode(scores, samples).threshold == 0.3


def test_softmax_scores_are_logits_of_probabilities() -> None:
    data = world()
    run = train(CrossEntropy(**NETWORK), data, epochs=2)
    found = multilabel.probabilities(logits_of_test(CrossEntropy(**NETWORK), run))
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)


def test_number_of_labels_comes_from_the_dataset_or_the_user() -> None:
    data = world()
    unknown = type(data)(**{**vars(data), "facts": {}})
    with pytest.raises(UsageError, match="--set cardinality"):
        ExpectedPositives().network(unknown)
    for given, expected in ((0.0, data.facts["cardinality"]), (3.0, 3.0)):
        method = ExpectedPositives(cardinality=given, **NETWORK)
        method.network(data)
        assert method.mean_labels == expected
        assert method.cardinality == given


def test_estimates_start_undecided_but_for_the_annotation() -> None:
    data = world()
    method = OnlineEstimation(**NETWORK)
    network = method.network(data)
    probability = network.estimates.detach().sigmoid()
    annotated = losses.one_hot(torch.from_numpy(data.train.label), len(data.classes), probability) > 0
    torch.testing.assert_close(probability[annotated], torch.full((len(data.train),), 0.995))
    assert probability[~annotated].min() >= 0.4 - 1e-6 and probability[~annotated].max() <= 0.6 + 1e-6
    assert [group.get("lr_scale", 1.0) for group in method.parameter_groups(network)] == [1.0, 10.0]


def test_soft_negatives_are_the_least_likely_clips_of_each_class() -> None:
    data = world()
    method = AsymmetricPseudoLabels(warmup=1, spread=3, share=0.9, **NETWORK)
    run = started(method, data)
    method.begin_epoch(run)
    assert (run.memory["stored"] < 0).all()
    for run.epoch in (1, 2, 3):
        method.begin_epoch(run)
    run.network.eval()
    stored = run.memory["stored"]
    label = torch.from_numpy(data.train.label)
    assert (stored[torch.arange(len(label)), label] < 0).all()
    free = len(label) - torch.bincount(label, minlength=stored.shape[1])
    counts = (stored >= 0).sum(dim=0)
    assert ((counts - 0.9 * free).abs() <= 3).all()
    for column in range(stored.shape[1]):
        rest = (stored[:, column] < 0) & (label != column)
        with torch.no_grad():
            now = run.network(torch.from_numpy(data.train.features)).sigmoid()[:, column]
        assert now[stored[:, column] >= 0].max() <= now[rest].min()


def test_the_planted_posterior_is_scored_as_it_is() -> None:
    data = world()
    method = PlantedPosterior()
    run = started(method, data)
    predictions = method.decode(method.score(run.network, data.test, run), data.test)
    np.testing.assert_allclose(multilabel.probabilities(predictions.logits), data.test.oracle["posterior"], atol=1e-6)
