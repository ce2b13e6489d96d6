"""Learning rates against the reference schedules, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from suite.method import Average, Optimizer, Phase, Schedule
from suite.train.averaging import update_average
from suite.train.optimizers import set_rate
from suite.train.schedules import rate
from tests.golden import golden


def same(actual: list[float], expected: list[float]) -> None:
    """Agree to 1e-12 of each value (start: exactly 0)."""
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-18)


def entries(name: str) -> list[dict[str, Any]]:
    found = golden("schedules.json")[name]
    return found if isinstance(found, list) else [found]


def test_warmup_cosine() -> None:
    for case in entries("actionformer_warmup_cosine"):
        per_epoch = case["iters_per_epoch"]
        schedule = Schedule("warmup-cosine", warmup=case["warmup_epochs"], floor=case["eta_min"])
        expected = case["lr_used_at_step"]
        total = (case["warmup_epochs"] + case["epochs"]) * per_epoch  # the reference counts the warm-up apart
        assert len(expected) == total
        same([rate(schedule, case["base_lr"], step, total, per_epoch) for step in range(total)], expected)
        warm = case["warmup_epochs"] * per_epoch
        if warm > 1:
            assert expected[0] == 0
            same([expected[warm - 1], expected[warm]], [case["base_lr"]] * 2)


def test_one_cycle() -> None:
    for case in entries("onecycle"):
        total = case["total_steps"]
        schedule = Schedule("one-cycle", warmup=0.3)
        expected = case["lr_used_at_step"]
        # the reference scheduler starts from 1/25 in double precision: agree to its own rounding
        found = [rate(schedule, case["max_lr"], step, total, 1) for step in range(total)]
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_steps_taken_before_each_epoch() -> None:
    for case in entries("bmn_steplr"):
        expected = case["lr_used_in_epoch"]
        milestones = tuple(float(m - 1) for m in range(case["step_size"], len(expected) + 2, case["step_size"]))
        schedule = Schedule("step", milestones=milestones, gamma=case["gamma"])
        per_epoch = 3
        for epoch, value in enumerate(expected):
            steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
            same([rate(schedule, case["base_lr"], s, len(expected) * per_epoch, per_epoch) for s in steps], [value] * 3)


def test_warm_up_and_falls_of_acar() -> None:
    arrays = {key.partition("/")[2]: value for key, value in golden("acar_loss.npz").items()}
    start, base, warmup, per_epoch = arrays["base_lr_warmup_lr_warmup_epochs_steps_per_epoch"].tolist()
    milestones = tuple(arrays["milestone_epochs"].tolist())
    (gamma,) = set(arrays["lr_mults"].tolist())
    schedule = Schedule("step", warmup=warmup, start=start / base, milestones=milestones, gamma=gamma)
    expected = arrays["lr_used_at_iteration"]
    found = [rate(schedule, base, step, len(expected), int(per_epoch)) for step in range(len(expected))]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def optimizers() -> Iterator[torch.optim.Optimizer]:
    one, two = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    yield torch.optim.SGD([{"params": [one]}, {"params": [two], "lr_scale": 10.0}], lr=1.0)


def test_optimizer_gets_the_rate_and_groups_their_scale() -> None:
    for case in entries("actionformer_warmup_cosine"):
        per_epoch = case["iters_per_epoch"]
        phase = Phase(
            epochs=case["warmup_epochs"] + case["epochs"],
            optimizer=Optimizer("adamw", lr=case["base_lr"]),
            schedule=Schedule("warmup-cosine", warmup=case["warmup_epochs"], floor=case["eta_min"]),
        )
        for optimizer in optimizers():
            for step, value in enumerate(case["lr_used_at_step"]):
                set_rate(optimizer, phase, step, per_epoch)
                rates = [group["lr"] for group in optimizer.param_groups]
                assert rates == pytest.approx([value, 10 * value], rel=1e-12)


def test_decay_of_a_teacher_that_starts_as_a_true_average() -> None:
    arrays = golden("rival_sstap.npz")
    settings = Average(float(arrays["ema__alpha"].max()), warmup=True, ramp=(0.0, 20.0))
    for step, alpha in zip(arrays["ema__global_step_after"].tolist(), arrays["ema__alpha"].tolist(), strict=True):
        network, teacher = (torch.nn.Linear(1, 1, bias=False).double() for _ in range(2))
        torch.nn.init.zeros_(network.weight)
        torch.nn.init.ones_(teacher.weight)
        update_average(teacher, network, settings, step)
        assert teacher.weight.item() == pytest.approx(alpha, rel=1e-12)
