"""What ``suite check METHOD`` asks of a method, tried on methods whose faults are known."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from suite.conformance import methods as conformance
from suite.conformance.methods import Examined, Trial, examine, planned, small_world
from suite.errors import UsageError
from suite.registry import methods
from suite.train.storage.reporter import Silent
from suite.work.preparation import threads
from tests.train.world import Tiny, world

MINUTES = 3


class Late(Tiny):
    """Learns nothing in its first epochs."""

    name, until = "late", 2

    def loss(self, network: Any, batch: Any, run: Any) -> dict[str, Any]:
        parts: dict[str, Any] = super().loss(network, batch, run)
        waits = run.phase_index == 0 or run.epoch < self.until
        return {name: part * (0.0 if waits else 1.0) for name, part in parts.items()}


class Never(Late):
    """Learns nothing at all."""

    name, until = "never", 1000


def learned(method: type[Tiny], epochs: int | None) -> Any:
    trial = Trial(method, {"lr": 0.1, "dropout": 0.0, "batch": 8}, "tiny", epochs or 3, () if epochs else (12, 48))
    with threads(1):
        return conformance.tried(conformance._learns, Examined(trial, world(), Silent()))


def test_a_method_that_learns_late_is_given_more_epochs() -> None:
    early, late = learned(Tiny, None), learned(Late, None)
    assert early.holds and "after 3 epochs" in early.said
    assert late.holds and "after 12 epochs" in late.said and "3 epochs were not enough" in late.said


def test_a_number_of_epochs_that_was_asked_for_is_kept_to() -> None:
    assert not learned(Late, 3).holds
    assert learned(Late, 12).holds


def test_a_method_that_never_learns_fails() -> None:
    found = learned(Never, None)
    assert found.state == "no"
    assert "--set lr" in found.said


def test_the_smallest_preset_is_taken_and_told() -> None:
    trial = planned("actionformer")
    assert trial.params == {"preset": "small", "evaluate_steps": 20}
    assert (
        "preset small, evaluate_steps=20 (its smallest)" in trial.in_words()
        and "planted-videos[videos=48" in trial.in_words()
    )
    assert planned("actionformer", params={"preset": "published"}).params["preset"] == "published"
    assert planned("topk-mil").params == {}


def test_what_is_asked_for_wrongly_is_told_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="did you mean 'embedding'"):
        planned("actionformer", params={"embeding": 8})
    with pytest.raises(UsageError, match="did you mean 'actionformer'"):
        planned("actionformr")


def test_the_small_world_is_that_of_the_card() -> None:
    assert small_world("recognition") == "planted-verbs[train=600,validation=200,test=200]"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", sorted(methods()))
def test_every_method_keeps_the_contract_within_minutes(name: str, tmp_path: Path) -> None:
    """As ``suite check NAME`` without any setting; processor time, because a machine may have other work."""
    started = time.process_time()
    findings = list(examine(planned(name), tmp_path))
    assert [finding for finding in findings if not finding.holds] == []
    assert len(findings) == 9
    assert time.process_time() - started < 60 * MINUTES
