"""A tiny recognition world and a method that trains on it in milliseconds, for tests of the training loop."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from suite.method import Average, Method, Optimizer, Phase, Schedule, hyper
from suite.tasks import task
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips, ClipScores
from suite.train import loop
from suite.train.training import Settings, Trained, Training

CLASSES, CHANNELS = 4, 6


def clips(count: int, seed: int) -> Clips:
    """Clips whose features point towards their class."""
    generator = np.random.default_rng(seed)
    label = generator.integers(0, CLASSES, count)
    features = generator.normal(size=(count, CHANNELS)).astype(np.float32) + 2 * np.eye(CLASSES, CHANNELS)[label]
    ids = np.array([f"{seed}-{i}" for i in range(count)])
    return Clips(ids, features.astype(np.float32), label, np.eye(CLASSES, dtype=bool)[label], ids)


def world(train: int = 70) -> TaskData[Clips]:
    """Training, validation and test clips."""
    names = tuple(f"class {c}" for c in range(CLASSES))
    facts = {"kind": "planted"}
    return TaskData(
        "tiny", "recognition", names, clips(train, 1), clips(40, 2), clips(40, 3), fingerprint="0", facts=facts
    )


class Tiny(Method):
    """A two-layer network with dropout, normalization, an average and a memory: everything a checkpoint must keep."""

    task = "recognition"
    name = "tiny"
    title = "Tiny"
    paper = "none"
    lr: float = hyper(0.01, low=0.0, high=1e9, log=True, symbol="η")
    dropout: float = hyper(0.3, low=0.0, high=0.9)
    batch: int = hyper(16, low=1, high=512)

    def phases(self, data: TaskData[Clips]) -> list[Phase]:
        """A warm-up phase without selection, then one that starts from the average."""
        adam = Optimizer("adam", lr=self.lr, weight_decay=0.01)
        first = Phase("first", epochs=3, optimizer=adam, average=Average(0.9, warmup=True), select=False)
        schedule = Schedule("warmup-cosine", warmup=1)
        return [first, Phase("second", epochs=4, optimizer=adam, schedule=schedule, start="average", clip_norm=1.0)]

    def network(self, data: TaskData[Clips]) -> nn.Module:
        """Linear, ReLU, normalization, dropout, linear."""
        hidden = [nn.Linear(CHANNELS, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(self.dropout)]
        return nn.Sequential(*hidden, nn.Linear(8, CLASSES))

    def begin(self, run):
        run.memory["seen"] = torch.zeros(len(run.data.train), dtype=torch.int64)

    def batches(self, run, generator):
        order = generator.permutation(len(run.data.train))
        for start in range(0, len(order), self.batch):
            yield {"index": torch.from_numpy(order[start : start + self.batch])}

    def loss(self, network, batch, run):
        features = run.resident("features", run.data.train.features)[batch["index"]]
        label = run.resident("label", run.data.train.label)[batch["index"]]
        run.memory["seen"][batch["index"]] += 1
        logits = network(features)
        return {"cross-entropy": F.cross_entropy(logits, label), "norm": 1e-3 * logits.square().mean()}

    def score(self, network, samples, run):
        return {"logits": network(torch.from_numpy(np.array(samples.features))).numpy()}

    def decode(self, scores, samples):
        return ClipScores(scores["logits"])


def train(settings: Settings | None = None, reporter=None, data=None, **params) -> Trained:
    """Train the tiny method on the tiny world."""
    return loop.train(training(settings, data, **params), reporter)


def training(settings: Settings | None = None, data=None, **params) -> Training:
    """The training that :func:`train` runs."""
    return Training(Tiny(**params), data or world(), task("recognition"), settings or Settings())


def weights(trained: Trained) -> bytes:
    """The network's state as bytes."""
    return b"".join(t.numpy().tobytes() for t in trained.network.state_dict().values())
