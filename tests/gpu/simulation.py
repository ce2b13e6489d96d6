"""Train methods on the simulated device and on the CPU: ``python -m tests.gpu.simulation NAME ...`` prints JSON.

A name is a method's, or one of ``CLIPS``.

A process of its own, because torch wants to know its devices before the first gradient.
"""

from __future__ import annotations

import collections
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from suite.method import Batch
from suite.places import Places
from suite.registry import methods
from suite.runs import resolve_run
from suite.train.loop import Loop
from suite.train.stepper import Solo
from suite.train.storage.reporter import Silent
from suite.train.storage.saving import Checkpoints
from suite.work.preparation import prepare
from tests.gpu.simulated import register, simulated_device, waits
from tests.models.worlds import Small, small_of

WORLD = (
    "planted-clips[train_videos=4,unlabelled_videos=2,validation_videos=2,test_videos=2,width=48,height=40,frames=8,"
    "short_side=32]"
)
FEW = {"width": 8, "blocks": "1-1", "alpha": 4, "steps": 2, "semi_steps": 2, "evaluate_steps": 1, "batch": 3}
# On clips of pixels, with both heads and all augmentations.
CLIPS = {
    "clips, linear head": Small("fixmatch-actors", WORLD, {**FEW, "geometric": True, "jitter": 0.1}),
    "clips, relation head": Small("fixmatch-actors", WORLD, {**FEW, "geometric": True, "head": "relation"}),
}

# Waits inside a step that are known, by the place that asks for them, and why they stay.
EXCUSED = {
    "in resident:": "a dataset is sent to the device once, by the first step that needs it",
    "actionformer/decoding.py": "pseudo-labels are decoded: the count of candidates decides what follows",
    "parts/candidates.py": "pseudo-labels are decoded: the host suppresses overlapping segments",
    "maps = [x.float().cpu()": "pseudo-labels are decoded: maps go to the host, which makes proposals of them",
    "in propose:": "pseudo-labels are decoded: maps go to the host, which makes proposals of them",
    "semi_localization/npl.py": "pseudo-labels are decoded: the host ranks and filters them",
}


@dataclass
class Seen:
    """Test metrics where validation chose; the losses of the steps, what the host waited for in them and how often."""

    metrics: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    losses: list[float] = field(default_factory=list)
    waits: collections.Counter[str] = field(default_factory=collections.Counter)


class Watching(Solo):
    """Steps as they are, noting what the host waits for in each."""

    seen: Seen

    def step(self, batch: Batch, steps_per_epoch: int) -> dict[str, torch.Tensor]:
        with waits() as found, _cuda_waits(self.training.run.device):
            parts = super().step(batch, steps_per_epoch)
        self.seen.waits.update(found)
        self.seen.steps += 1
        self.seen.losses.append(sum(float(part) for part in parts.values()))
        return parts


@contextmanager
def _cuda_waits(device: torch.device) -> Iterator[None]:
    """Let torch warn of every synchronization with a CUDA device."""
    if device.type != "cuda":
        yield
        return
    torch.cuda.set_sync_debug_mode("warn")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def trained(name: str, device: str, places: Places) -> Seen:
    """Train the method called ``name`` on its small world, or one of ``CLIPS``."""
    small = CLIPS.get(name) or small_of(name)
    prepared = prepare(resolve_run(small.method, small.dataset, small.params, epochs=small.epochs), places)
    stepper = Watching(prepared.training(device, places.derived))
    stepper.seen = Seen()
    Loop(stepper, Silent(), Checkpoints(stepper)).run()
    training = stepper.training
    if training.error is not None:
        raise training.error
    found = training.evaluation.selector.points["validation"].metrics["test"]
    stepper.seen.metrics = {f"{m.metric} {m.label} {m.threshold}": m.value for m in found}
    return stepper.seen


def compared(name: str) -> dict[str, Any]:
    """Both trainings of ``name``: whether they agree, and the waits of the one on the device."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        places = Places(folder)
        try:
            with simulated_device() as device:
                there = trained(name, str(device), places)
        except Exception as error:  # any error is a finding
            return {"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
        here = trained(name, "cpu", places)
    return {"error": "", "equal": repr(here.metrics) == repr(there.metrics), "steps": there.steps, "waits": there.waits}


if __name__ == "__main__":
    register()
    for one in sys.argv[1:] or [*methods(), *CLIPS]:
        print(json.dumps({"method": one, **compared(one)}), flush=True)
