"""What recognition methods do with labels that a dataset leaves unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from methods.recognition.assume_negative import AssumeNegative
from methods.recognition.ce import CrossEntropy
from methods.recognition.entropy_maximization import EntropyMaximization
from methods.recognition.mask_bce import MaskBCE
from methods.recognition.parts import losses, neighbours
from methods.recognition.parts.base import IGNORED, MASKED, SinglePositive
from suite import registry
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips
from tests.methods.recognition.worlds import logits_of_test, started, train, world

ALL = [m for m in registry.methods().values() if m.task == "recognition"]
TRAINED = [m for m in ALL if issubclass(m, SinglePositive)]
IGNORING = [m for m in TRAINED if m.unknown_labels == IGNORED]
NETWORK = {"hidden": 32, "batch": 50}


def unsaid(share: float = 0.6, seed: int = 0) -> TaskData[Clips]:
    """The small planted world with a share of the entries unknown, never a single label."""
    data = world()

    def hide(clips: Clips) -> Clips:
        known = np.random.default_rng(seed).random(clips.truth.shape) >= share
        known[np.arange(len(clips)), clips.label] = True
        return replace(clips, known=known, truth=clips.truth & known)

    return replace(data, train=hide(data.train), validation=hide(data.validation), test=hide(data.test))


@pytest.mark.parametrize("method", ALL, ids=[m.name for m in ALL])
def test_every_method_says_what_it_does(method: Any) -> None:
    assert method.unknown_labels
    assert method.unknown_labels != MASKED, "ours take the mask themselves"


def shifted(instance: SinglePositive, data: TaskData[Clips], by: float) -> tuple[float, Tensor]:
    """The loss of a batch and its gradient by the logits, with unknown entries' logits moved ``by``."""
    run = started(instance, data)
    (batch, *_) = instance.batches(run, np.random.default_rng(0))
    raw = torch.randn(data.train.truth.shape, generator=torch.Generator().manual_seed(1))
    assert data.train.known is not None
    free = torch.where(torch.from_numpy(data.train.known), raw, raw + by)[batch["index"]].requires_grad_()
    stand_in = torch.nn.Module()
    stand_in.forward = lambda features: free  # type: ignore[method-assign]
    loss = instance.loss(stand_in, batch, run)["loss"]
    loss.backward()
    assert free.grad is not None
    return float(loss.detach()), free.grad[~torch.from_numpy(data.train.known)[batch["index"]]]


@pytest.mark.parametrize("reduction", ["code", "paper"])
@pytest.mark.parametrize("method", IGNORING, ids=[m.name for m in IGNORING])
def test_ignored_labels_have_no_part_in_the_loss(method: type[SinglePositive], reduction: str) -> None:
    if reduction == "paper" and "reduction" not in method.hypers:
        pytest.skip("no reduction to choose")
    instance = method(**NETWORK, **({"reduction": reduction} if "reduction" in method.hypers else {}))
    data = unsaid()
    (value, slope), (moved, _) = (shifted(instance, data, by) for by in (0.0, 3.0))
    assert np.isfinite(value) and value == moved
    assert not slope.any()


@pytest.mark.parametrize("method", TRAINED, ids=[m.name for m in TRAINED])
def test_every_method_learns_from_what_is_known(method: type[SinglePositive]) -> None:
    data = unsaid(0.5)
    instance = method(**NETWORK)
    run = train(instance, data, epochs=12)
    hits = world().test.truth[np.arange(len(data.test)), logits_of_test(instance, run).argmax(axis=1)]
    assert hits.mean() > world().test.truth.mean(axis=0).max() + 0.1
    assert np.isfinite(instance.validation_loss(run.network, data.validation, run))
    assert all(np.isfinite(value) for value in instance.analyses(run).values())


def test_assumed_negatives_by_hand() -> None:
    """Binary cross-entropy of the known entries: sums over them, or means per clip."""
    logits, target = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]]), torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])
    known = torch.tensor([[True, False, True], [True, True, True]])
    cost = np.log1p(np.exp([[-1.0, -2.0, 0.5], [0.0, -3.0, -1.0]]))
    first, second = cost[0, 0] + cost[0, 2], cost[1].sum()
    assert float(losses.assume_negative(logits, target, known=known)) == pytest.approx((first + second) / 2)
    paper = losses.assume_negative(logits, target, "paper", known=known)
    assert float(paper) == pytest.approx((first / 2 + second / 3) / 2)
    softmax = CrossEntropy().known_objective(logits, target, known)
    shares = [np.exp(1.0) / (np.exp(1.0) + np.exp(0.5)), np.exp(3.0) / np.exp([0.0, 3.0, -1.0]).sum()]
    assert float(softmax) == pytest.approx(-np.log(shares).mean(), rel=1e-5)
    pseudo = torch.tensor([[False, True, True], [False, False, False]])
    masked = losses.mask_bce(logits, target, pseudo, known=known)
    assert float(masked) == pytest.approx((cost[0, 0] + second) / 2)
    positive = losses.pseudo_single_bce(logits, target, pseudo, known=known)
    assert float(positive) == pytest.approx((cost[0, 0] + np.log1p(np.exp([2.0, -0.5])).sum() + second) / 2)


def test_entropy_maximization_takes_unknown_for_not_annotated() -> None:
    data, whole = unsaid(), world()
    (first, second) = (train(EntropyMaximization(**NETWORK), one, epochs=2) for one in (data, whole))
    one, other = (logits_of_test(EntropyMaximization(**NETWORK), run) for run in (first, second))
    np.testing.assert_array_equal(one, other)


def test_shares_of_neighbours_that_have_a_vote() -> None:
    generator = np.random.default_rng(3)
    rows = np.stack([generator.permutation(30)[:6] for _ in range(20)])
    targets, known, k = generator.random((30, 4)), generator.random((30, 4)) < 0.4, generator.integers(1, 7, 20)
    found = neighbours.label_shares(rows, targets, known, k)
    for row in range(20):
        for column in range(4):
            votes = [targets[n, column] for n in rows[row, : k[row]] if known[n, column]]
            assert found[row, column] == pytest.approx(np.mean(votes) if votes else 0.0)


@pytest.mark.parametrize("k", [1, 5, 15])
def test_shares_of_single_labels_are_counts(k: int) -> None:
    data = world().train
    rows, labels = neighbours.nearest(data.features, k), np.asarray(data.label)
    many, tau = np.full(len(labels), k), np.full(len(labels), 0.2)
    counts = neighbours.label_counts(rows, labels, data.truth.shape[1], many)
    shares = neighbours.label_shares(rows, data.annotated.astype(float), np.ones(data.truth.shape, bool), many)
    np.testing.assert_array_equal(counts / k, shares)
    expected = neighbours.pseudo_labels(counts, labels, many, tau)
    np.testing.assert_array_equal((shares > tau[:, None]) & ~data.annotated, expected)


class Squared(SinglePositive):
    """Written without a thought of unknown labels."""

    name, title, paper = "squared", "Squared", "none"

    def objective(self, logits: Tensor, target: Tensor) -> Tensor:
        return (logits.sigmoid() - target).square().sum(dim=1).mean()


class SquaredInstead(AssumeNegative):
    """Another loss in place of one that knows of the mask."""

    name, title, paper = "squared-instead", "Squared", "none"

    def objective(self, logits: Tensor, target: Tensor) -> Tensor:  # type: ignore[override]
        return (logits.sigmoid() - target).square().sum(dim=1).mean()


class OwnMask(MaskBCE):
    """Another loss on pseudo-labels."""

    name, title, paper = "own-mask", "Own mask", "none"

    def pseudo_objective(self, logits: Tensor, target: Tensor, pseudo: Tensor) -> Tensor:  # type: ignore[override]
        return losses.pseudo_single_bce(logits, target, pseudo, "paper")


class OwnBatch(Squared):
    """Another loss of the whole batch."""

    name, title, paper = "own-batch", "Own batch", "none"

    def loss(self, network: torch.nn.Module, batch: Any, run: Any) -> dict[str, Tensor]:
        return {"loss": 2 * self.objective(*self.labelled(network, batch, run))}


OWN = (Squared, SquaredInstead, OwnMask, OwnBatch)


@pytest.mark.parametrize("method", OWN, ids=[m.name for m in OWN])
def test_losses_of_a_users_own_work_on_what_is_known(method: type[SinglePositive]) -> None:
    assert method.unknown_labels == MASKED
    instance = method(**NETWORK)
    (value, slope), (moved, _) = (shifted(instance, unsaid(), by) for by in (0.0, 3.0))
    assert value == moved
    assert not slope.any()
    whole = train(method(**NETWORK), world(), epochs=2)
    assert np.isfinite(instance.validation_loss(whole.network, world().validation, whole))
    known = train(method(**NETWORK), unsaid(), epochs=2)
    assert 0 < instance.validation_loss(known.network, unsaid().validation, known) < 100


def test_another_loss_with_a_word_of_its_own_takes_the_mask() -> None:
    class Says(AssumeNegative):
        name, title, paper = "says", "Says", "none"
        unknown_labels = "weighed by half"

        def objective(self, logits: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
            assert known is not None
            return (torch.where(known, 1.0, 0.5) * losses.cross_entropy_elements(logits, target)).mean()

    class Tuned(Says):
        name, title, paper = "tuned", "Tuned", "none"

    assert Tuned.unknown_labels == "weighed by half"
    train(Tuned(**NETWORK), unsaid(), epochs=1)


def test_several_known_positives_are_a_target() -> None:
    """A clip with two known positives; a clip with one is the single label's case, to the last bit."""
    data = world()
    single = replace(data, train=replace(data.train, target=data.train.annotated.astype(np.float32)))
    for method in (AssumeNegative, MaskBCE, CrossEntropy):
        one, other = (logits_of_test(method(**NETWORK), train(method(**NETWORK), d, epochs=2)) for d in (data, single))
        np.testing.assert_array_equal(one, other)
    several = replace(data, train=replace(data.train, target=data.train.truth.astype(np.float32)))
    learned = logits_of_test(AssumeNegative(**NETWORK), train(AssumeNegative(**NETWORK), several, epochs=12))
    full = registry.methods()["full-label"](**NETWORK)
    np.testing.assert_array_equal(learned, logits_of_test(full, train(full, data, epochs=12)))
