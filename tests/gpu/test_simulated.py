"""Every method trains on a device that is not the CPU, with the same numbers, and the host waits for it nowhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from methods.networks.actionformer.losses import detector_losses
from methods.networks.actionformer.model import Detections
from methods.networks.actionformer.targets import Targets
from suite.registry import methods
from tests.gpu.simulation import CLIPS, EXCUSED

ROOT = Path(__file__).resolve().parents[2]
FEW = ("mask-bce", "action-selection", "actionformer", "clips, linear head")


def simulated(*names: str) -> dict[str, Any]:
    """What ``tests.gpu.simulation`` says of methods."""
    command = [sys.executable, "-m", "tests.gpu.simulation", *names]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-2000:]
    return {row["method"]: row for row in map(json.loads, said.stdout.splitlines())}


def check(name: str, found: dict[str, Any]) -> None:
    """No error, the CPU's numbers, and no wait inside a step but those that are excused."""
    assert not found["error"]
    assert found["equal"]
    waits = [wait for wait in found["waits"] if not any(place in wait for place in EXCUSED)]
    assert not waits, f"{name} makes the host wait in its steps"


def test_few_methods_train_there_without_a_wait() -> None:
    found = simulated(*FEW)
    for name in FEW:
        check(name, found[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [*sorted(methods()), *CLIPS])
def test_every_method_trains_there_without_a_wait(name: str) -> None:
    check(name, simulated(name)[name])


def test_a_wait_and_a_mixture_are_found() -> None:
    code = """
import torch
from tests.gpu.simulated import register, simulated_device, waits
register()
with simulated_device() as device, waits() as found:
    there = torch.randn(3, device=device)
    float(there.sum()), there[there > 0], torch.tensor([1.0], device=device), there.cpu()
print(sorted(what.split(" at ")[0] for what in found))
try:
    with simulated_device() as device:
        torch.zeros(3, device=device) + torch.zeros(3)
except RuntimeError as error:
    print("two devices" in str(error))
"""
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    kinds = [wait.removesuffix(" outside the suite") for wait in eval(said[0])]
    assert kinds == ["a copy to the device", "a copy to the host", "a number", "the count of a mask"]
    assert said[1] == "True"


def test_losses_of_all_points_are_those_of_the_chosen_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    from methods.networks.actionformer import losses

    generator = torch.Generator().manual_seed(0)
    shape, classes = (3, 40), 5
    logits = torch.randn(*shape, classes, generator=generator, requires_grad=True)
    offsets = torch.rand(*shape, 2, generator=generator, requires_grad=True)
    valid, ignored = torch.rand(2, *shape, generator=generator) < 0.7
    instance = torch.randint(-1, 2, shape, generator=generator)
    wanted = torch.rand(*shape, 2, generator=generator) + 0.1
    wanted[instance < 0] = float("inf")  # what lies there must not matter
    targets = Targets(torch.rand(*shape, classes, generator=generator), wanted, instance)
    found = Detections(logits, offsets, valid, torch.zeros(40, 4))
    both = []
    for form in (losses._sums_of_chosen, losses._sums_of_all):
        monkeypatch.setattr(losses, "_sums_of_chosen", form)
        sums = detector_losses(found, targets, 0.1, ignored)
        both.append([*sums, *torch.autograd.grad(sums.classification + sums.regression, (logits, offsets))])
    for left, right in zip(*both, strict=True):
        torch.testing.assert_close(left, right)
