"""Videos at their own lengths, padded to the longest of a batch; what lies beyond a video's end never counts."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from methods.weak_localization.parts.sampling import crop_index
from suite.method import Batch
from suite.tasks.localization.samples import Videos


def padded_rows(train: Videos, videos: np.ndarray, limit: int | None, generator: np.random.Generator) -> Batch:
    """Consecutive snippets of each video, at most ``limit`` of them (None: all), from a random start.

    ``index`` (B, T) rows of the feature store, the last one repeated to the longest video's length; ``length`` (B,).
    """
    crops = [
        train.offsets[v] + crop_index(int(train.lengths[v]), limit or int(train.lengths[v]), generator) for v in videos
    ]
    length = np.array([len(crop) for crop in crops])
    index = np.array([np.pad(crop, (0, length.max() - len(crop)), mode="edge") for crop in crops])
    return {"index": torch.from_numpy(index), "length": torch.from_numpy(length)}


def time_mask(lengths: Tensor, positions: int) -> Tensor:
    """(B, T) bool, the first ``lengths`` (B,) positions."""
    return torch.arange(positions, device=lengths.device)[None] < lengths[:, None]


def padded_features(store: Tensor, batch: Batch) -> Tensor:
    """(B, T, D) features of a padded batch, zero beyond each video's end, as a convolution pads it."""
    features = store[batch["index"]]
    return features * time_mask(batch["length"], features.shape[1])[..., None].to(features.dtype)


def masked_mean(values: Tensor, lengths: Tensor) -> Tensor:
    """(B, ...) mean over the first ``lengths`` (B,) of T positions; ``values`` (B, T, ...)."""
    shape = (-1, *[1] * (values.ndim - 2))
    mask = time_mask(lengths, values.shape[1]).view(*values.shape[:2], *shape[1:])
    return torch.where(mask, values, 0.0).sum(dim=1) / lengths.to(values.dtype).view(shape)


def largest_mean(activation: Tensor, lengths: Tensor, count: Tensor) -> Tensor:
    """(B, C) mean of the ``count`` (B,) largest of the first ``lengths`` activations of each class; (B, T, C) in."""
    hidden = activation.masked_fill(~time_mask(lengths, activation.shape[1])[..., None], -torch.inf)
    best = hidden.sort(dim=1, descending=True).values
    taken = time_mask(count, activation.shape[1])[..., None]
    # Chosen and not multiplied by the mask: minus infinity times zero is not a number.
    return torch.where(taken, best, 0.0).sum(dim=1) / count[:, None]
