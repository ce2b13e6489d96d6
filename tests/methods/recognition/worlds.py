"""Small planted worlds, made in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from suite.data.planted import verbs
from suite.data.storage.cards import find_card
from suite.method import Method, Run
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips

SMALL = {"senses": 12, "verbs": 10, "channels": 8, "train": 300, "validation": 60, "test": 200, "tail": 0.5}


@lru_cache(maxsize=16)
def _read(dials: tuple[tuple[str, Any], ...]) -> TaskData[Clips]:
    card = find_card("planted-verbs")
    return verbs.read(card, Path(), card.resolve_dials(dict(dials)), "recognition")


def world(**dials: Any) -> TaskData[Clips]:
    """A planted world of a few hundred clips; ``dials`` over :data:`SMALL`."""
    return _read(tuple(sorted({**SMALL, **dials}.items())))


def uncached(key: Mapping[str, Any], make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """A run's ``cached`` that always computes."""
    return make()


def started(method: Method, data: TaskData[Clips], seed: int = 0) -> Run:
    """A run of ``method`` on ``data`` just before its first step."""
    torch.manual_seed(seed)
    run = Run(data, method.network(data), seed, torch.device("cpu"), lambda name, value: None, uncached)
    method.begin(run)
    return run


def train(method: Method, data: TaskData[Clips], epochs: int, lr: float = 3e-3, seed: int = 0) -> Run:
    """A plain training of ``method`` without the engine."""
    run = started(method, data, seed)
    groups = [{"params": g["params"], "lr": lr * g.get("lr_scale", 1.0)} for g in method.parameter_groups(run.network)]
    optimizer = torch.optim.Adam(groups)
    for run.epoch in range(epochs):
        method.begin_epoch(run)
        run.network.train()
        for batch in method.batches(run, np.random.default_rng([seed, run.epoch])):
            loss = sum(method.loss(run.network, batch, run).values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    run.network.eval()
    return run


def logits_of_test(method: Method, run: Run) -> np.ndarray:
    """(N, C) logits of the test clips."""
    return method.score(run.network, run.data.test, run)["logits"]
