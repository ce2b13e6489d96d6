"""Shares of annotators as targets: who takes them, and that these are worth the mean over the annotators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from methods.recognition.assume_negative import AssumeNegative
from methods.recognition.parts.base import SinglePositive
from suite import registry
from suite.errors import UsageError
from suite.spec.run import RunSpec
from suite.tasks import task
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips
from suite.train.start import training_of
from tests.methods.recognition.worlds import started, world

ALL = [m for m in registry.methods().values() if m.task == "recognition"]
SOFT = [m for m in ALL if m.soft_labels]
BATCH = 40


def by(target: np.ndarray) -> TaskData[Clips]:
    """The small planted world whose training clips have these targets (N, C)."""
    data = world()
    return replace(data, train=replace(data.train, target=target.astype(np.float32)))


def loss(method: type[SinglePositive], target: np.ndarray) -> float:
    """The loss of one batch whose logits and pseudo-labels do not depend on the targets."""
    instance, data = method(batch=BATCH), by(target)
    run = started(instance, data)
    if "pseudo" in run.memory:
        drawn = np.random.default_rng(1).random(target.shape) < 0.1
        run.memory["pseudo"] = torch.from_numpy(drawn & ~np.asarray(world().train.truth))
    logits = torch.randn(target.shape, generator=torch.Generator().manual_seed(1))
    batch = {"index": torch.arange(BATCH)}
    stand_in = torch.nn.Module()
    stand_in.forward = lambda features: logits[:BATCH]  # type: ignore[method-assign]
    return float(instance.loss(stand_in, batch, run)["loss"])


@pytest.mark.parametrize("method", SOFT, ids=[m.name for m in SOFT])
def test_a_share_is_worth_the_mean_over_annotators(method: type[SinglePositive]) -> None:
    """Three annotators name one of a clip's true classes each: the loss of shares is the mean of their losses."""
    truth, draw = np.asarray(world().train.truth), np.random.default_rng(0)
    said = [np.eye(truth.shape[1])[[draw.choice(np.flatnonzero(row)) for row in truth]] for _ in range(3)]
    assert loss(method, np.mean(said, axis=0)) == pytest.approx(np.mean([loss(method, one) for one in said]), rel=1e-5)


def test_who_takes_shares() -> None:
    names = {m.name for m in SOFT}
    assert {"ce", "assume-negative", "mask-bce", "pseudo-single-bce"} < names
    assert not names & {"focal", "role", "em-apl", "full-label", "ideal-mask", "planted-posterior"}


def test_who_does_not_says_so() -> None:
    data = world()
    facts = {"names": ["ann", "bob"], "reference": "", "train": "soft", "test": "majority"}
    data = replace(data, facts={**data.facts, "annotators": facts})
    spec = RunSpec(method="focal", dataset="planted-verbs")
    with pytest.raises(UsageError, match="focal does not learn from shares of annotators: use annotator=majority, all"):
        training_of(spec, registry.method("focal")(), data, task("recognition"), "cpu", None)  # type: ignore[arg-type]
    taken = training_of(spec, AssumeNegative(), data, task("recognition"), "cpu", None)  # type: ignore[arg-type]
    assert taken.data is data


def test_another_loss_has_to_say_so_itself() -> None:
    class Squared(AssumeNegative):
        """A loss of one's own."""

        def objective(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            return (logits.sigmoid() - target).square().mean()

    class Faster(AssumeNegative):
        """Another default."""

    assert not Squared.soft_labels and Faster.soft_labels
