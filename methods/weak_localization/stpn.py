"""STPN: sparse temporal pooling network (Nguyen, Liu, Prasad and Han, CVPR 2018), after its reproduced code."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from methods.weak_localization.parts.two_stream import AttentionScores, TwoStreamLocalizer, bias_of
from suite.method import Batch, Losses, Run, hyper


def stpn_losses(scores: AttentionScores, bias: Tensor, labels: Tensor, sparsity: float) -> Losses:
    """Binary cross entropy of the attention-pooled video, and the L1 norm of attention, summed over modalities.

    ``scores`` of videos (B, T, 2, ...), ``bias`` (2, C), ``labels`` (B, C).
    """
    logits = (scores.attention[..., None] * scores.activation).mean(dim=1) + bias
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

    sparsity: float = hyper(1e-4, low=0.0, high=1.0, symbol="β", packed=True, source="§4.1")

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        scores = self.outputs(network, batch, run)
        return stpn_losses(scores, bias_of(network), self.labels(run, batch), self.sparsity)

    def probability(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()
