"""EM + APL: entropy maximization, and in later epochs the least likely classes become soft negatives."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from methods.recognition.entropy_maximization import EntropyMaximization
from methods.recognition.parts import losses
from methods.recognition.parts.base import RECOMMENDED, in_chunks
from suite.method import Presets, Run, hyper


class AsymmetricPseudoLabels(EntropyMaximization):
    """After ``warmup`` epochs, each epoch marks for every class a share of the clips that score it lowest.

    Their probability at that time is kept in ``run.memory["stored"]`` (N, C), -1 where there is none yet.
    """

    name = "em-apl"
    title = "EM + APL"
    aliases = ("em+apl",)
    unknown_labels = "kept near one half, or soft negatives where unlikely, like every class that is not annotated"
    presets: ClassVar[Presets] = {
        "recommended": RECOMMENDED,
        "published": {  # Pascal VOC; stops at the first epoch without a new best validation mAP
            "lr": 1e-5,
            "batch": 8,
            "epochs": 10,
            "patience": 1,
            "watch": "mAP",
            "log_offset": 1e-5,
            "single_batch_quirk": True,
        },
    }

    beta: float = hyper(0.02, low=0.0, high=10.0, symbol="β", packed=True, source="ECCV 2022: 0.02 for VOC")
    warmup: int = hyper(5, low=0, high=100_000, source="ECCV 2022: 5 of 10 epochs for VOC")
    spread: int = hyper(5, low=1, high=100_000, source="ECCV 2022: the 5 epochs that are left")
    share: float = hyper(
        0.9, low=0.0, high=1.0, source="ECCV 2022", help="of the unannotated clips of a class, after the last round"
    )

    reduction: str = hyper("paper", choices=("code", "paper"), help="of the validation loss; training takes the mean")
    single_batch_quirk: bool = hyper(
        False,
        source="ECCV 2022 code, a defect",
        help="a training set that fits in one batch gets no pseudo-labels",
    )

    def begin(self, run: Run) -> None:
        annotated = torch.from_numpy(np.array(run.data.train.annotated)).to(run.device)
        run.memory["stored"] = torch.full(annotated.shape, -1.0, device=run.device)
        run.memory["annotated"] = annotated

    def begin_epoch(self, run: Run) -> None:
        if self.chooses_before(run.epoch, len(run.data.train)):
            run.network.eval()
            logits = torch.from_numpy(in_chunks(run.network, run.data.train.features, run.device)).to(run.device)
            run.network.train()
            run.memory["stored"] = self.choose(logits.sigmoid(), run.memory["stored"].clone(), run.memory["annotated"])

    def chooses_before(self, epoch: int, clips: int) -> bool:
        """Whether soft negatives are chosen before the 0-based ``epoch``: after each epoch from ``warmup`` on."""
        whole = self.single_batch_quirk and clips <= self.batch
        return self.warmup <= epoch < self.warmup + self.spread and not whole

    def choose(self, probability: Tensor, stored: Tensor, annotated: Tensor) -> Tensor:
        """``stored`` with the probabilities of each class's next share of clips, least likely first.

        All are (N, C); a class's clips are those in which it is not ``annotated``.
        """
        taken = (stored >= 0) | annotated
        unannotated = len(annotated) - annotated.sum(dim=0)
        order = probability.masked_fill(taken, torch.inf).argsort(dim=0, stable=True)
        for column, count in enumerate((self.share * unannotated / self.spread).int().tolist()):
            chosen = order[: min(count, int((~taken[:, column]).sum())), column]
            stored[chosen, column] = probability[chosen, column]
        return stored

    def train_objective(
        self, logits: Tensor, target: Tensor, index: Tensor, run: Run, known: Tensor | None = None
    ) -> Tensor:
        stored = run.memory["stored"][index]
        return losses.entropy_with_soft_negatives(
            logits, target, stored, stored >= 0, self.alpha, self.beta, self.log_offset
        )

    def analyses(self, run: Run) -> dict[str, float]:
        """Share of all entries that are soft negatives."""
        stored = run.memory.get("stored")
        if stored is None:
            return {}
        share = float((stored >= 0).float().mean())
        return {"soft negatives": share, "no pseudo-labels": float(share == 0)}
