"""STPN: sparse temporal pooling network (Nguyen, Liu, Prasad and Han, CVPR 2018), after its reproduced code.

The authors released nothing; the code is a reproduction by others that reaches the paper's numbers.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from methods.weak_localization.parts.two_stream import AttentionScores, TwoStreamLocalizer, bias_of
from suite.method import Batch, Losses, Optimizer, Presets, Run, Selection, hyper


def attended_mean(scores: AttentionScores) -> Tensor:
    """(B, 2, C) activations weighted by attention, mean over time (eq. 1)."""
    return (scores.attention[..., None] * scores.activation).mean(dim=1)


def stpn_losses(scores: AttentionScores, bias: Tensor, labels: Tensor, sparsity: float) -> Losses:
    """Binary cross entropy of the attention-pooled video, and the L1 norm of attention, summed over modalities.

    ``scores`` of videos (B, T, 2, ...), ``bias`` (2, C), ``labels`` (B, C).
    """
    logits = attended_mean(scores) + bias
    target = labels[:, None].expand_as(logits)
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return {
        "classification": entropy.mean(dim=(0, 2)).sum(),
        "sparsity": sparsity * scores.attention.abs().sum(dim=(1, 2)).mean(),
    }


class STPN(TwoStreamLocalizer):
    """Attention that should be sparse decides which snippets make the video's class."""

    name = "stpn"
    title = "STPN"
    paper = "Nguyen et al., CVPR 2018"
    # bellos1203/STPN@ecadfca: code/utils.py, train.sh, test.sh; tested at step 23,100 of 24,000.
    presets: ClassVar[Presets] = {
        "recommended": {},
        "published": {
            "lr": 1e-4,
            "weight_decay": 0.0,
            "batch": 6,
            "steps": 23_100,
            "evaluate_every": 34,
            "positions": 400,
            "hidden": 256,
            "initialization": "xavier",
            "epsilon": "tensorflow",
            "scale": 24,
            "skip_first": True,
            "suppress": "shared",
        },
    }
    published_selection: ClassVar[Selection] = "last"

    sparsity: float = hyper(1e-4, low=0.0, high=1.0, symbol="β", packed=True, source="§4.1")
    epsilon: str = hyper(
        "tensorflow",
        choices=("tensorflow", "torch"),
        source="reproduced code: TensorFlow",
        help="where Adam adds its 1e-8: before the bias correction, or behind it",
    )

    def optimizer(self) -> Optimizer:
        """Adam without weight decay."""
        return Optimizer("adam", self.lr, self.weight_decay, epsilon_hat=self.epsilon == "tensorflow")

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        scores = self.outputs(network, batch, run)
        return stpn_losses(scores, bias_of(network), self.labels(run, batch), self.sparsity)

    def probability(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def pooled(self, scores: AttentionScores) -> Tensor:
        return attended_mean(scores)
