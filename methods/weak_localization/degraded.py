"""How much noise actionness learning tolerates (Fig. 5b): T_pos loses action snippets until a given share is left."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from methods.weak_localization.action_selection import ActionSelection
from methods.weak_localization.parts.selection_quality import snippet_truth
from suite.method import Batch, Run, hyper


def thinned(mask: Tensor, action: Tensor, rate: float, draw: Tensor) -> Tensor:
    """T_pos (B, T) without so many of its action positions that about ``rate`` of the batch's T_pos is action.

    ``action`` (B, T) in {0, 1}, ``draw`` (B, T) uniform in [0, 1). Unchanged where the share is that low already.
    """
    hits, misses = (mask * action).sum(), (mask * (1 - action)).sum()
    keep = (rate / (1 - rate) * misses / hits.clamp(min=1)).clamp(max=1)
    return mask * torch.where(action > 0, (draw < keep).to(mask.dtype), torch.ones_like(mask))


class DegradedActionSelection(ActionSelection):
    """ASL whose G learns from thinned T_pos. It looks at the truth: its numbers compare with no method.

    Positions taken out of T_pos join neither side.
    """

    name = "action-selection-degraded"
    title = "ASL with degraded T_pos"
    paper = "Ma et al., CVPR 2021, Fig. 5b"
    oracle = True

    class_rate: float = hyper(0.5, low=0.05, high=0.95, source="Fig. 5b: .7 to .3", help="share of action in T_pos")

    def target(self, mask: Tensor, batch: Batch, run: Run) -> tuple[Tensor, Tensor]:
        if "action" not in run.residents:
            run.resident("action", np.asarray(np.any(snippet_truth(run.data.train), axis=1)))
        action = run.residents["action"][batch["index"]].to(mask.dtype)
        kept = thinned(mask, action, self.class_rate, torch.rand_like(mask))
        return kept, 1 - mask
