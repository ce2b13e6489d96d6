"""Actor features as input: drawing batches of clips, weak and strong views, scoring a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from methods.actor_detection.parts.augment_features import redrawn, strong_view, weak_view
from methods.networks.actor_mlp import ActorMLP
from suite.method import Batch, Run
from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData

View = Literal["plain", "weak", "strong"]
ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class FeatureAugmentation:
    """Noise of both views in standard deviations of a channel; the share of channels that the strong view masks, and
    whether it draws nuisance anew where the dataset knows its directions."""

    weak: float = 0.1
    strong: float = 0.5
    masked: float = 0.3
    redraw: bool = True


class FeatureInputs:
    """Batches are clips; their instances lie side by side in tensors of n rows."""

    def __init__(self, data: TaskData[Actors], augmentation: FeatureAugmentation) -> None:
        self.train, self.augmentation, self.classes = data.train, augmentation, len(data.classes)
        known = np.array(data.facts.get("nuisance", []), dtype=np.float32) if augmentation.redraw else np.zeros(0)
        self.nuisance = known.reshape(-1, data.train.features.shape[1])
        self.starts = np.searchsorted(data.train.clip, np.arange(len(data.train.clip_ids) + 1))

    def network(self, hidden: int, layers: int, dropout: float) -> nn.Module:
        """A fresh network for these features."""
        features = torch.from_numpy(np.array(self.train.features, dtype=np.float64))
        return ActorMLP(features.mean(dim=0), features.std(dim=0, correction=0), self.classes, hidden, layers, dropout)

    def draw(self, clips: np.ndarray, generator: np.random.Generator) -> Batch:
        """The instances of ``clips``: ``rows`` (n,) into the training set and every random draw for them."""
        rows = np.concatenate([np.arange(self.starts[clip], self.starts[clip + 1]) for clip in clips])
        shape = (len(rows), self.train.features.shape[1])
        drawn = {
            "rows": torch.from_numpy(rows),
            "uniform": torch.from_numpy(generator.random(len(rows))),
            "weak": torch.from_numpy(generator.standard_normal(shape, dtype=np.float32)),
            "strong": torch.from_numpy(generator.standard_normal(shape, dtype=np.float32)),
            "kept": torch.from_numpy(generator.random(shape, dtype=np.float32) >= self.augmentation.masked),
        }
        if len(self.nuisance):
            units = generator.standard_normal((len(rows), len(self.nuisance)), dtype=np.float32)
            drawn["nuisance"] = torch.from_numpy(units)
        return drawn

    def logits(self, network: nn.Module, part: Batch, view: View, run: Run) -> Tensor:
        """(n, C) logits of a part drawn by :meth:`draw`."""
        features = run.resident("features", self.train.features)[part["rows"]].float()
        mean, spread = self._statistics(run)
        if view == "weak":
            features = weak_view(features, part["weak"], spread, self.augmentation.weak)
        elif view == "strong":
            if "nuisance" in part:
                features = redrawn(features, mean, run.resident("nuisance", self.nuisance), part["nuisance"])
            features = strong_view(features, part["strong"], part["kept"], mean, spread, self.augmentation.strong)
        logits: Tensor = network(features)
        return logits.float()  # losses of half-precision logits would round small probabilities away

    @torch.no_grad()
    def score(self, network: nn.Module, samples: Actors, run: Run, rows: np.ndarray | None = None) -> np.ndarray:
        """(N, C) logits of the instances of ``samples``, or of some ``rows``, without augmentation."""
        features = samples.features if rows is None else samples.features[rows]
        parts = [np.zeros((0, self.classes), dtype=np.float32)]
        for start in range(0, len(features), ROWS_AT_ONCE):
            block = torch.from_numpy(np.array(features[start : start + ROWS_AT_ONCE], dtype=np.float32))
            parts.append(network(block.to(run.device)).float().cpu().numpy())
        return np.concatenate(parts)

    def _statistics(self, run: Run) -> tuple[Tensor, Tensor]:
        """Mean and spread (D,) of the training features."""
        if "feature mean" not in run.residents:
            features = np.asarray(self.train.features, dtype=np.float64)
            run.resident("feature mean", features.mean(axis=0).astype(np.float32))
            run.resident("feature spread", features.std(axis=0).astype(np.float32))
        return run.residents["feature mean"], run.residents["feature spread"]
