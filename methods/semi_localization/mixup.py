"""ActionFormer with MixUp between labelled and pseudo-labelled videos.

The NPL paper names "ActF + MixUp" and gives no detail at all. Our construction: self-training whose second phase mixes
each pseudo-labelled video with a labelled one, features and losses alike, with a share drawn from a Beta distribution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from methods.networks.actionformer.config import ActionFormerConfig
from methods.networks.actionformer.preparation import Sample
from methods.semi_localization.parts.base import labelled
from methods.semi_localization.parts.batches import detector_batch, padded
from methods.semi_localization.parts.detector import Labels
from methods.semi_localization.self_training import SelfTraining
from suite.method import Batch, Losses, Run, hyper

TARGETS = ("classes", "offsets", "instance", "positive_points", "rows", "instances", "ignored")


def mixed_batch(
    first: Sequence[Sample], second: Sequence[Sample], share: float, config: ActionFormerConfig
) -> dict[str, Tensor | dict[str, Tensor]]:
    """``share`` times the first samples plus the rest of the second, cut to pairs, with the targets of both.

    Features beyond the end of a shorter video are zero.
    """
    pairs = min(len(first), len(second))
    features, _ = padded([s.features for s in [*first[:pairs], *second[:pairs]]])
    size = features.shape[1]
    stretched = [
        [s._replace(features=f[:size]) for s, f in zip(group, block.numpy(), strict=True)]
        for group, block in ((first[:pairs], features[:pairs]), (second[:pairs], features[pairs:]))
    ]
    sides = [detector_batch(group, config) for group in stretched]
    lengths = torch.tensor([max(len(a.features), len(b.features)) for a, b in zip(first, second, strict=False)])
    return {
        "features": share * features[:pairs] + (1 - share) * features[pairs:],
        "length": lengths,
        "share": torch.full((pairs,), share),
        "first": {name: sides[0][name] for name in TARGETS},
        "second": {name: sides[1][name] for name in TARGETS},
    }


class MixUp(SelfTraining):
    """Self-training on mixtures of labelled and pseudo-labelled videos."""

    name = "mixup"
    title = "MixUp (ActionFormer)"
    paper = "Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018 (on ActionFormer, our construction)"

    beta: float = hyper(0.4, low=0.01, high=10.0, source="mixup §3: 0.2 to 0.4", help="of the Beta distribution")

    def joint_batches(self, run: Run, labels: Labels, generator: np.random.Generator) -> Iterator[Batch]:
        config = self.detector.config(run.data)
        first = self.detector.samples(run, labelled(run.data), self.batch, generator)
        second = self.detector.samples(run, labels, self.batch, generator)
        for known, guessed in zip(first, second, strict=False):
            share = float(generator.beta(self.beta, self.beta))
            mixed = mixed_batch(guessed, known, share, config)
            yield {"labelled": self.detector.collate(known, run), "unlabelled": mixed}

    def learn(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        found, share = network(batch["features"], batch["length"]), batch["share"][0]
        guessed = self.detector.detector_loss(found, batch["first"], run, "first")
        known = self.detector.detector_loss(found, batch["second"], run, "second")
        return {f"mixed_{name}": share * guessed[name] + (1 - share) * known[name] for name in guessed}
