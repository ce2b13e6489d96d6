"""A method whose objective is a known function of its parameters: sweeps of it cost milliseconds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from suite.errors import TrainingError
from suite.method import Method, Phase, Run, hyper
from suite.tasks.recognition.samples import ClipScores


class Toy(Method):
    """Right in a share of clips that falls with the distance of (q, beta) from (0.6, 0.3)."""

    task = "recognition"
    name = "toy"
    title = "Toy"

    q: float = hyper(0.5, low=0.0, high=1.0, symbol="q")
    beta: float = hyper(0.5, low=0.0, high=1.0, symbol="β")
    kind: str = hyper("plain", choices=("plain", "fancy"))
    extra: int = hyper(3, low=1, high=9)
    epochs: int = hyper(2, low=1, high=100)
    seconds: float = hyper(0.0, low=0.0, high=100.0, help="slept in each epoch")
    trouble: str = hyper("none", choices=("none", "nan", "memory", "kill", "once"))
    threshold: float = hyper(0.5, low=0.0, high=1.0, post=True)

    def phases(self, data: Any) -> Sequence[Phase]:
        return [Phase(epochs=self.epochs)]

    def network(self, data: Any) -> nn.Module:
        return nn.Linear(1, len(data.classes))

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[dict[str, Any]]:
        yield {"x": torch.from_numpy(generator.random((2, 1), dtype=np.float32))}

    def loss(self, network: nn.Module, batch: dict[str, Any], run: Run) -> dict[str, torch.Tensor]:
        time.sleep(self.seconds)
        self._misbehave()
        loss = network(batch["x"]).square().mean()
        return {"loss": loss * float("nan") if self.trouble == "nan" else loss}

    def _misbehave(self) -> None:
        if self.trouble == "memory":
            raise MemoryError("a toy's")
        if self.trouble == "kill":
            os.kill(os.getpid(), 9)
        mark = os.environ.get("TOY_MARK", "")
        if self.trouble == "once" and mark and not os.path.exists(mark):  # noqa: PTH110
            open(mark, "w").close()  # noqa: PTH123
            raise TrainingError("fails the first time; run it again.")

    def score(self, network: nn.Module, samples: Any, run: Run) -> dict[str, np.ndarray]:
        distance = np.hypot(self.q - 0.6, self.beta - 0.3) + (0.1 if self.kind == "plain" else abs(self.extra - 5) / 50)
        right = np.arange(len(samples)) / len(samples) >= min(1.0, distance)
        one_hot = np.eye(len(run.data.classes), dtype=np.float32)[samples.label]
        return {"logits": np.where(right[:, None], one_hot, 1 - one_hot) * 2 - 0.5}

    def decode(self, scores: dict[str, np.ndarray], samples: Any) -> ClipScores:
        return ClipScores(scores["logits"], self.threshold)
