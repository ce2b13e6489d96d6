"""Attention by modality: what STPN and background modelling share, networks and inference.

Two networks, one for each modality, are trained side by side; they share no parameter, so this is training them one
after the other. Each modality chooses its own classes and makes its own proposals, which are suppressed together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.weak_localization.parts.base import per_snippet
from methods.weak_localization.parts.distinct import once
from methods.weak_localization.parts.initialization import CHOICES, initialized
from methods.weak_localization.parts.localize import Activation
from methods.weak_localization.parts.networks import check_width, halves, snippet_mlp
from methods.weak_localization.parts.proposals import Runs, chosen_classes, ranked_runs
from methods.weak_localization.parts.sampling import uniform_index
from methods.weak_localization.parts.stepwise import Stepwise
from suite.evaluate.scoring.pool import Thinning
from suite.evaluate.segments import Segments
from suite.method import Batch, Run, Scores, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

STREAMS = 2  # RGB first


class AttentionScores(NamedTuple):
    """Class activations (..., 2, C) without bias and attention (..., 2) in [0, 1], one for each modality."""

    activation: Tensor
    attention: Tensor


class TwoStreamAttention(nn.Module):
    """For each half of the channels an attention D/2 → H → 1 and a linear classifier D/2 → C, on each snippet."""

    def __init__(self, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.width, self.channels = width, halves(width)
        self.attention = nn.ModuleList(snippet_mlp(self.channels, hidden, 1) for _ in range(STREAMS))
        self.classify = nn.ModuleList(nn.Linear(self.channels, classes) for _ in range(STREAMS))

    @property
    def classifiers(self) -> list[nn.Linear]:
        """The classifier of each modality."""
        return [layer for layer in self.classify if isinstance(layer, nn.Linear)]

    def forward(self, rows: Tensor) -> AttentionScores:
        """Scores of feature rows (..., D)."""
        check_width(rows, self.width)
        views = rows.unflatten(-1, (STREAMS, self.channels)).unbind(dim=-2)
        activation = [F.linear(view, layer.weight) for view, layer in zip(views, self.classifiers)]
        attention = [net(view).squeeze(-1) for view, net in zip(views, self.attention)]
        return AttentionScores(torch.stack(activation, dim=-2), torch.sigmoid(torch.stack(attention, dim=-1)))


def bias_of(network: nn.Module) -> Tensor:
    """(2, C) what the classifiers add to a video's pooled activation."""
    assert isinstance(network, TwoStreamAttention)
    return torch.stack([layer.bias for layer in network.classifiers])


class TwoStreamLocalizer(Stepwise):
    """Thresholds on attention-weighted class activations; a run scores its mean over both modalities (STPN, §3.4).

    Scores hold ``activation`` (ΣL, 2, C) without bias, ``attention`` (ΣL, 2) and the videos' ``probability`` (V, 2, C).
    """

    hidden: int = hyper(256, low=1, high=65_536, source="STPN: FC 256")
    batch: int = hyper(6, low=1, high=4096, source="STPN, reproduced code")
    positions: int = hyper(400, low=1, high=100_000, symbol="T", source="STPN: 400 segments")
    weight_decay: float = hyper(0.0, low=0.0, high=1.0, packed=True, source="STPN, reproduced code: none")
    epochs: int = hyper(690, low=1, high=100_000, source="STPN, reproduced code: about 23,000 steps of 6 of 200 videos")
    initialization: str = hyper("xavier", choices=CHOICES, source="STPN, reproduced code: Glorot uniform, biases 0")
    class_threshold: float = hyper(0.1, low=0.0, high=1.0, post=True, source="STPN; released codes")
    skip_first: bool = hyper(
        False, post=True, source="released codes: yes", help="a modality whose only class is the first proposes nothing"
    )
    threshold: float = hyper(0.05, low=0.0, high=1.0, post=True, source="STPN")
    other_share: float = hyper(0.5, low=0.0, high=1.0, post=True, source="STPN: both modalities weigh the same")
    nms_threshold: float = hyper(0.5, low=0.0, high=1.0, post=True, source="STPN; released codes")
    suppress: str = hyper(
        "all",
        choices=("all", "shared"),
        post=True,
        source="released codes: shared",
        help="classes whose proposals are suppressed: all, or those that both modalities predict",
    )

    # What a method says -----------------------------------------------------------------------------------------

    fallback = False  # whether a modality without a class over the threshold takes its best one

    def probability(self, logits: Tensor) -> Tensor:
        """Class probabilities of video logits (..., C), and of a snippet's activations."""
        raise TypeError(f"{self.name} has no class probability: implement probability().")

    def pooled(self, scores: AttentionScores) -> Tensor:
        """(B, 2, C) pooled activation of videos (B, T, ...) at inference."""
        raise TypeError(f"{self.name} pools nothing: implement pooled().")

    def outputs_of(self, data: TaskData[Videos]) -> int:
        """How many classes the classifier knows."""
        return len(data.classes)

    def places(self, length: int) -> np.ndarray:
        """(T,) snippets that inference looks at in a video of ``length``."""
        return uniform_index(length, self.positions)

    # Training and scores ----------------------------------------------------------------------------------------

    def network(self, data: TaskData[Videos]) -> nn.Module:
        network = TwoStreamAttention(data.train.rows.shape[1], self.hidden, self.outputs_of(data))
        return initialized(network, self.initialization)

    def outputs(self, network: nn.Module, batch: Batch, run: Run) -> AttentionScores:
        """The network's outputs for a batch; each distinct snippet is computed once."""
        return once(network, self.store(run), batch["index"], self.workspace(run, batch["index"]))

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        activation, attention = per_snippet(network, samples.rows, run.device)
        classes = samples.video_labels.shape[1]
        found = np.zeros((len(samples), STREAMS, classes), dtype=np.float32)
        for video, length in enumerate(samples.lengths):
            rows = samples.offsets[video] + self.places(int(length))
            seen = AttentionScores(torch.from_numpy(activation[rows][None]), torch.from_numpy(attention[rows][None]))
            logits = self.pooled(seen) + bias_of(network).detach().cpu()
            found[video] = self.probability(logits)[0, :, :classes].numpy()
        return {"activation": activation[..., :classes], "attention": attention, "probability": found}

    # Inference --------------------------------------------------------------------------------------------------

    def classes_of(self, probability: np.ndarray) -> list[np.ndarray]:
        """The classes of each modality, of ``probability`` (2, C)."""
        least = np.nextafter(self.class_threshold, np.inf)  # the released codes compare strictly
        return [chosen_classes(own, least, self.fallback, self.skip_first) for own in probability]

    def signals(self, activation: np.ndarray, attention: np.ndarray, stream: int) -> tuple[np.ndarray, np.ndarray]:
        """What is thresholded and what scores, (T, C) each, of one modality; ``activation`` (T, 2, C)."""
        own, other = activation[:, stream], activation[:, 1 - stream]
        weight = attention[:, stream, None]
        mixed = (1 - self.other_share) * own + self.other_share * other
        return weight * torch.from_numpy(own).sigmoid().numpy(), weight * mixed

    def activations(self, scores: Scores, samples: Videos) -> Iterator[Activation]:
        for video, probability in enumerate(scores["probability"]):
            rows = samples.offsets[video] + self.places(int(samples.lengths[video]))
            activation, attention = (scores[name][rows].astype(np.float64) for name in ("activation", "attention"))
            signals, ranks, chosen = [], [], self.classes_of(probability)
            for stream, classes in enumerate(chosen):
                signal, rank = self.signals(activation, attention, stream)
                signals.append(signal[:, classes])
                ranks.append(rank[:, classes])
            likely = np.concatenate([own[classes] for own, classes in zip(probability, chosen)])
            columns = (np.concatenate(parts, axis=1) for parts in (signals, ranks))
            yield Activation(np.concatenate(chosen), likely, *columns)

    def propose(self, signal: np.ndarray, probability: float, rank: np.ndarray) -> Runs:
        return ranked_runs(signal >= self.threshold, rank)

    def decode(self, scores: Scores, samples: Videos) -> Segments:
        found, suppression = self.proposals(scores, samples), self.suppression()
        if self.suppress == "all":
            return suppression(found)
        both = self.predicted_by_both(scores["probability"])[found.video, found.label]
        return Segments.concatenate([suppression(found.take(both)), found.take(~both)])

    def thinning(self) -> Thinning | None:
        return super().thinning() if self.suppress == "all" else None

    def predicted_by_both(self, probability: np.ndarray) -> np.ndarray:
        """(V, C) bool, classes that both modalities predict in a video; ``probability`` (V, 2, C)."""
        shared = np.zeros((len(probability), probability.shape[2]), dtype=bool)
        for video, own in enumerate(probability):
            rgb, flow = self.classes_of(own)
            shared[video, np.intersect1d(rgb, flow)] = True
        return shared
