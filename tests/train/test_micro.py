"""A step that does not fit is taken in pieces, with the numbers of the whole batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from suite.errors import TrainingError, UsageError
from suite.method import Losses, Method, Optimizer, Phase, Run
from suite.tasks import task
from suite.train.distributed import rows_of
from suite.train.loop import Loop
from suite.train.micro import Pieces
from suite.train.stepper import Solo
from suite.train.storage.reporter import Silent
from suite.train.training import Settings, Training
from tests.train.world import CHANNELS, CLASSES, Tiny, world


class Narrow(Method):
    """A linear network on a device that holds ``room`` samples."""

    task, name, title, paper = "recognition", "narrow", "Narrow", "none"
    room = 1000

    def phases(self, data: Any) -> list[Phase]:
        return [Phase(epochs=2, optimizer=Optimizer("adam", lr=0.01))]

    def network(self, data: Any) -> nn.Module:
        return nn.Linear(CHANNELS, CLASSES)

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[dict[str, Any]]:
        for rows in np.array_split(generator.permutation(len(run.data.train)), 5):
            train = run.data.train
            yield {"x": torch.from_numpy(train.features[rows]), "y": torch.from_numpy(train.label[rows])}

    def loss(self, network: nn.Module, batch: dict[str, Any], run: Run) -> Losses:
        if len(batch["x"]) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        run.memory["steps"] = run.memory.get("steps", torch.zeros(())) + 1
        return {"ce": nn.functional.cross_entropy(network(batch["x"]), batch["y"])}

    def score(self, network: nn.Module, samples: Any, run: Run) -> dict[str, np.ndarray]:
        return {"logits": network(torch.from_numpy(samples.features)).numpy()}

    decode = Tiny.decode


def trained(room: int, accumulate: int = 1) -> tuple[Training, Solo]:
    method = Narrow()
    method.room = room
    training = Training(method, world(), task("recognition"), Settings(seed=1))
    stepper = Solo(training, accumulate)
    Loop(stepper, Silent(), None).run()
    return training, stepper


@pytest.mark.parametrize("room", [7, 5, 1])
def test_the_numbers_are_those_of_the_whole_batch(room: int) -> None:
    whole, _ = trained(1000)
    cut, stepper = trained(room)
    assert cut.error is None and stepper.pieces.count > 1
    for left, right in zip(cut.run.network.parameters(), whole.run.network.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)
    assert cut.run.memory["steps"] == whole.run.memory["steps"]  # what a loss remembers, it remembers once a step
    assert {point["value"] for point in cut.curves.points if point["metric"] == "micro-batches"}


@pytest.mark.parametrize("accumulate", [2, 3, 1000])
def test_accumulated_gradients_are_those_of_the_whole_batch(accumulate: int) -> None:
    whole, _ = trained(1000)
    cut, _ = trained(1000, accumulate)
    for left, right in zip(cut.run.network.parameters(), whole.run.network.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)
    assert cut.run.memory["steps"] == whole.run.memory["steps"]


def test_groups_that_do_not_divide_are_cut_as_evenly_as_they_can() -> None:
    run = Training(Tiny(), world(), task("recognition"), Settings()).run
    seen: list[tuple[int, int, bool]] = []

    def count(piece: Any, weight: float, last: bool) -> Losses:
        seen.append((rows_of(piece["labelled"]), rows_of(piece["unlabelled"]), last))
        return {"loss": torch.tensor(weight)}

    pieces = Pieces(run, nn.Linear(2, 2), count=5)
    for rows in ((8, 12), (5, 5), (3, 4)):
        batch = {name: {"x": torch.zeros(n, 2)} for name, n in zip(("labelled", "unlabelled"), rows, strict=True)}
        assert float(pieces.compute(batch, count, lambda: None)["loss"]) == pytest.approx(1.0)
    assert seen == [*[(2, 3, False)] * 3, (2, 3, True), *[(1, 1, False)] * 4, (1, 1, True), (3, 4, True)]


def test_who_normalizes_is_not_cut_when_asked_to() -> None:
    run = Training(Tiny(), world(), task("recognition"), Settings()).run
    with pytest.raises(UsageError, match="leave --accumulate out"):
        Pieces(run, nn.BatchNorm1d(2), count=2)


def test_a_network_that_normalizes_over_the_batch_is_not_cut() -> None:
    run = Training(Tiny(), world(), task("recognition"), Settings()).run
    pieces = Pieces(run, nn.BatchNorm1d(2))

    def out(batch: Any, weight: float, last: bool) -> Losses:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(TrainingError, match="normalizes over its batch"):
        pieces.compute({"x": torch.zeros(8, 2)}, out, lambda: None)


@pytest.mark.parametrize(
    "batch",
    [
        {"x": torch.zeros(1, 2)},
        {"labelled": {"x": torch.zeros(8, 2)}, "unlabelled": {"x": torch.zeros(3, 2)}},
    ],
)
def test_a_batch_that_cannot_be_cut_is_an_error_in_one_sentence(batch: dict[str, Any]) -> None:
    run = Training(Tiny(), world(), task("recognition"), Settings()).run

    def out(piece: Any, weight: float, last: bool) -> Losses:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(TrainingError, match="cannot be cut further"):
        Pieces(run, nn.Linear(2, 2)).compute(batch, out, lambda: None)


def test_both_groups_are_cut_alike() -> None:
    run = Training(Tiny(), world(), task("recognition"), Settings()).run
    seen: list[tuple[int, int]] = []

    def few(piece: Any, weight: float, last: bool) -> Losses:
        if rows_of(piece["labelled"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        seen.append((rows_of(piece["labelled"]), rows_of(piece["unlabelled"])))
        return {"loss": torch.tensor(weight)}

    batch = {"labelled": {"x": torch.zeros(8, 2)}, "unlabelled": {"x": torch.zeros(12, 2)}}
    found = Pieces(run, nn.Linear(2, 2)).compute(batch, few, lambda: None)
    assert seen == [(2, 3)] * 4 and float(found["loss"]) == pytest.approx(1.0)
