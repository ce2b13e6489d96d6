"""Proposal-free masks: a class and a mask over the whole window for every snippet; targets, losses, segments.

Source: Nag et al., "Semi-Supervised Temporal Action Detection with Proposal-Free Masking", ECCV 2022 (SPOT).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.networks.actionformer.model import sinusoid_table
from methods.networks.convolutions import TimeConvolution

MASK_THRESHOLDS = np.linspace(0.2, 0.8, 4)  # §4: the released code's, without the empty one


class SnippetMasks(nn.Module):
    """A network that gives each snippet of a window a class and a mask over the window."""

    classify: nn.Module
    mask: nn.Module
    rebuild: nn.Module

    def features(self, windows: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, width)."""
        raise TypeError(f"{type(self).__name__} has no features: implement features().")

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, D) -> class logits (B, T, C + 1) and mask logits (B, T, T): row t is the mask of snippet t."""
        features = self.features(windows)
        return self.classify(features), self.mask(features)


class MaskNetwork(SnippetMasks):
    """Self-attention over a window, then class probabilities of each snippet and its mask over the window.

    A mask names absolute cells, so the embedding gains a table of positions (the paper mentions none).
    """

    positions: Tensor

    def __init__(self, inputs: int, width: int, heads: int, length: int, classes: int) -> None:
        super().__init__()
        self.embed = nn.Linear(inputs, width)
        self.register_buffer("positions", sinusoid_table(length, width) * width**0.5, persistent=False)
        self.attend = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.classify = nn.Linear(width, classes + 1)  # the last one is background
        self.mask = nn.Sequential(TimeConvolution(width, width, 3), nn.ReLU(), TimeConvolution(width, length))
        self.rebuild = nn.Linear(width, inputs)

    def features(self, windows: Tensor) -> Tensor:
        embedded = self.embed(windows) + self.positions
        mixed: Tensor = self.norm(embedded + self.attend(embedded, embedded, embedded, need_weights=False)[0])
        return mixed


def snippet_targets(
    segments: np.ndarray, labels: np.ndarray, length: int, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Class of each snippet (T,), ``classes`` for background, and the mask (T, T) of the instance that it lies in.

    Of several instances the shortest counts.
    """
    centre = np.arange(length) + 0.5
    label, mask = np.full(length, classes), np.zeros((length, length), dtype=np.float32)
    # The longest first, so that shorter ones overwrite it.
    for row in np.argsort(segments[:, 0] - segments[:, 1], kind="stable"):
        inside = (centre >= segments[row, 0]) & (centre <= segments[row, 1])
        label[inside] = labels[row]
        mask[inside] = inside
    return label, mask


def class_loss(logits: Tensor, label: Tensor, taken: Tensor | None = None, gamma: float = 2.0) -> Tensor:
    """Focal cross entropy over the snippets ``taken`` (B, T) bool (all), foreground and background weighted alike."""
    log_p = logits.log_softmax(2)
    own = log_p.gather(2, label[:, :, None])[:, :, 0]
    focal = -((1 - own.exp()) ** gamma) * own
    foreground = label < logits.shape[2] - 1
    kept = torch.ones_like(foreground) if taken is None else taken
    sides = [(focal * side).sum() / side.sum().clamp(min=1) for side in (foreground & kept, ~foreground & kept)]
    return (sides[0] + sides[1]) / 2


def mask_loss(logits: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
    """0.4 balanced cross entropy plus 0.6 Dice of the masks (B, T, T) of the snippets ``rows`` (B, T) bool; 0 of none.

    All rows are computed and others weigh nothing: a selection would make the host wait for a device.
    """
    count = rows.sum().clamp(min=1)
    # Clamped, since a target that is all one or all zero would give its other side an infinite weight.
    share = (mask.mean(2) * rows).sum().div(count).clamp(0.01, 0.99)
    weight = torch.where(mask > 0.5, 0.5 / share, 0.5 / (1 - share))
    entropy = F.binary_cross_entropy_with_logits(logits, mask, weight=weight, reduction="none").mean(2)
    probability = logits.sigmoid()
    overlap = 2 * (probability * mask).sum(2) + 1
    dice = 1 - overlap / (probability.square().sum(2) + mask.square().sum(2) + 1)
    return ((0.4 * entropy + 0.6 * dice) * rows).sum() / count


def mask_segments(mask: np.ndarray, snippet: int) -> list[tuple[int, int]]:
    """For each threshold the run of cells above it around ``snippet``: (first, behind the last), without repeats."""
    found: dict[tuple[int, int], None] = {}
    for threshold in MASK_THRESHOLDS:
        above = mask >= threshold
        if not above[snippet]:
            break
        left = np.flatnonzero(~above[:snippet])
        right = np.flatnonzero(~above[snippet:])
        found[(int(left[-1]) + 1 if len(left) else 0, snippet + int(right[0]) if len(right) else len(mask))] = None
    return list(found)
