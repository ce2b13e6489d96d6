"""Small videos for the methods of weakly supervised localization."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from suite.data.planted.videos import read
from suite.data.storage.cards import find_card
from suite.evaluate.segments import Segments
from suite.method import Method, Phase, Run
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


@pytest.fixture(scope="session")
def planted() -> TaskData[Videos]:
    """A small planted world with strong evidence."""
    card = find_card("planted-videos")
    dials = {"videos": 24, "classes": 4, "video_seconds": 40.0, "channels": 16, "class_snr": 6.0, "actionness_snr": 4.0}
    return read(card, card.path.parent, card.resolve_dials(dials), "weak-localization")


@pytest.fixture(scope="session")
def clear() -> TaskData[Videos]:
    """A planted world in which no scene misleads and every instance shows its class."""
    card = find_card("planted-videos")
    dials = {"videos": 60, "classes": 4, "video_seconds": 60.0, "channels": 16, "class_snr": 5.0, "actionness_snr": 3.0}
    values = card.resolve_dials({**dials, "context": 0.0, "hard_instances": 0.0})
    return read(card, card.path.parent, values, "weak-localization")


def videos_of(lengths: list[int], width: int = 8, classes: int = 3, labels: np.ndarray | None = None) -> Videos:
    """Videos of the given lengths with random features and one segment each."""
    generator, count = np.random.default_rng(0), len(lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    shown = np.eye(classes, dtype=bool)[np.arange(count) % classes] if labels is None else labels
    owner = np.arange(count)
    return Videos(
        ids=np.array([f"video{i}" for i in range(count)]),
        rows=generator.normal(size=(offsets[-1], width)).astype(np.float32),
        offsets=offsets,
        fps=np.full(count, 25.0),
        stride=np.full(count, 16.0),
        window=np.full(count, 16.0),
        duration=np.array(lengths) * 0.64,
        video_labels=shown,
        segments=Segments(owner, shown.argmax(axis=1), np.zeros(count), np.array(lengths) * 0.32),
        labelled=np.ones(count, bool),
        unit=np.array([f"video{i}" for i in range(count)]),
    )


def task_data(samples: Videos) -> TaskData[Videos]:
    """The same videos as every split."""
    classes = tuple(f"class{c}" for c in range(samples.video_labels.shape[1]))
    return TaskData("small", "weak-localization", classes, samples, samples, samples)


def run_of(method: Method, data: TaskData[Videos], phase: Phase | None = None, seed: int = 0) -> Run:
    """A run as the loop would hand it to a method, without a loop."""
    torch.manual_seed(seed)
    chosen = phase or next(iter(method.phases(data)), Phase())
    network, device = method.network(data), torch.device("cpu")
    run = Run(data, network, seed, device, lambda *_: None, lambda _, make: make(), phase=chosen)
    method.begin(run)
    return run


def train(method: Method, run: Run, epochs: int, lr: float = 3e-3) -> list[float]:
    """A plain loop of a few epochs; the total loss of each step."""
    optimizer = torch.optim.Adam(run.network.parameters(), lr=lr)
    losses = []
    for epoch in range(epochs):
        run.epoch = epoch
        run.network.train()
        for batch in method.batches(run, np.random.default_rng(epoch)):
            total = sum(method.loss(run.network, batch, run).values())
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            run.step += 1
            losses.append(float(total.detach()))
    run.network.eval()
    return losses
