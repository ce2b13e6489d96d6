"""Noisy Label Learning: neighbouring snippets of one action should agree on its boundaries (NPL, §3.4)."""

from __future__ import annotations

import torch
from torch import Tensor


def temporal_consistency(boundaries: Tensor, stride: Tensor, instance: Tensor, instances: Tensor) -> Tensor:
    """The unsupervised temporal consistency loss, averaged over the B videos (eq. 7, and its share of eq. 8).

    Of every pseudo-label the snippets assigned to it on one level are taken in order of time; the differences of
    their predicted starts and ends, absolute and summed, are averaged over the pairs of neighbours, then over the
    pseudo-labels of the video. Unit: strides of the level. A pseudo-label with fewer than two snippets adds nothing
    but counts; so does a video without pseudo-labels. Gradients reach both snippets of a pair.

    Args:
        boundaries: (B, P, 2) predicted start and end in grid cells (absolute, not distances from the point).
        stride: (P,) of each point's level; points of a level are contiguous and ascend in time.
        instance: (B, P) index of the pseudo-label that a point is assigned to, -1 for none.
        instances: (B,) number of pseudo-labels of each video.
    """
    video, point = torch.nonzero(instance >= 0, as_tuple=True)
    most = int(instances.max()) if len(instances) else 0
    owner = video * max(most, 1) + instance[video, point]
    level = stride[point]
    # Two stable sorts give the order by owner, then level, then time, in which neighbours lie side by side.
    order = torch.argsort(level, stable=True)
    order = order[torch.argsort(owner[order], stable=True)]
    owner, level, video, point = owner[order], level[order], video[order], point[order]
    pair = (owner[1:] == owner[:-1]) & (level[1:] == level[:-1])
    located = boundaries[video, point] / level[:, None]
    steps = (located[1:] - located[:-1]).abs().sum(1)[pair]
    pairs_of = torch.bincount(owner[1:][pair], minlength=len(instances) * max(most, 1)).to(steps.dtype)
    share = 1 / (pairs_of[owner[1:][pair]] * instances[video[1:][pair]].to(steps.dtype) * max(len(instances), 1))
    # The second term keeps the gradient defined where there is no pair at all.
    return (steps * share).sum() + 0 * boundaries.sum()
