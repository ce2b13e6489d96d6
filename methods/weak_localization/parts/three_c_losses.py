"""The centre and the count loss of 3C-Net as pure functions (Narayan et al., ICCV 2019, §3.2 and §3.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.weak_localization.parts.padding import time_mask

CENTRE_FORMS = ("mean", "released")
LEAST_DISTANCE = 1e-12  # the released code clamps distances here


def attended_features(streams: Tensor, embedding: Tensor, lengths: Tensor) -> Tensor:
    """(B, 2, C, H) features of each class: embeddings averaged by temporal softmax, below-average attention removed.

    ``streams`` (B, T, 2, C), ``embedding`` (B, T, 2, H), ``lengths`` (B,) valid positions.
    """
    valid = time_mask(lengths, streams.shape[1])[..., None, None]
    attention = streams.masked_fill(~valid, -torch.inf).softmax(dim=1)
    # A softmax over L snippets has the mean 1 / L.
    mean = 1 / lengths.to(attention.dtype)[:, None, None, None]
    kept = attention * (attention >= mean)
    kept = kept / kept.sum(dim=1, keepdim=True).clamp(min=1e-12)
    return torch.einsum("btsh,btsc->bsch", embedding, kept)


def centre_loss(features: Tensor, centres: Tensor, labels: Tensor, form: str = "mean") -> Tensor:
    """Squared distance of attended features (B, 2, C, H) to their class centres (2, C, H), summed over modalities.

    ``labels`` (B, C) say which pairs of video and class count, N in all; zero where none does. ``mean``: averaged over
    them. ``released``: each distance is multiplied by the *index* of its class (the first class never counts) and the
    sum divided by N twice.
    """
    distance = (features - centres).square().sum(dim=-1)
    pairs = labels.sum().clamp(min=1)
    if form == "released":
        distance = (distance * torch.arange(labels.shape[1], device=labels.device)).clamp(min=LEAST_DISTANCE) / pairs
    return (distance * labels[:, None]).sum() / pairs


def centre_gradient(features: Tensor, centres: Tensor, labels: Tensor, form: str) -> Tensor:
    """(2, C, H) gradient of :func:`centre_loss` with respect to the centres."""
    with torch.enable_grad():
        point = centres.detach().requires_grad_()
        loss = centre_loss(features.detach(), point, labels, form)
        (gradient,) = torch.autograd.grad(loss, point)
    return gradient


def count_loss(features: Tensor, counts: Tensor, lengths: Tensor, absent_weight: float) -> Tensor:
    """How far predicted numbers of instances are from the annotated ``counts`` (B, C), relative to them (eq. 5).

    The prediction is the sum of :func:`~.three_c_network.counting_features` (B, T, C) over time. For a class that is
    absent, or has no fewer instances than the video snippets, its magnitude counts with ``absent_weight``. Batch mean.
    """
    predicted = features.sum(dim=1)
    present = (counts > 0) & (counts < lengths[:, None])
    relative = (predicted - counts).abs() / counts.clamp(min=1)
    return torch.where(present, relative, absent_weight * predicted.abs()).sum(dim=1).mean()
