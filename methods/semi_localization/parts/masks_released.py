"""SPOT's network, losses, candidates and suppression as its released code has them, where they differ from the paper.

Source: sauradip/SPOT@af2aad9: spot_model.py, spot_lib/loss_spot.py, spot_inference.py, utils/postprocess_utils.py.
Everything here is for ``arithmetic=released``; docs/faithful says how it differs from :mod:`.masks`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.networks.convolutions import TimeConvolution
from methods.semi_localization.parts.masks import SnippetMasks

MASK_CUTS = (0.0, 0.2, 0.4, 0.6, 0.8)  # config/anet.yaml
CLASS_CUTS = tuple(np.arange(1, 10) / 10)
PICKS = 100  # suppression ends after so many
NAN = float("nan")  # one object, so that two candidates without a score are the same


class WideAttention(nn.Module):
    """Self-attention whose heads are each as wide as the input, residual and layer norm behind it."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, heads * width, bias=False) for _ in range(3))
        for projection in (self.query, self.key, self.value):
            nn.init.normal_(projection.weight, std=width**-0.5)
        self.merge = nn.Linear(heads * width, width)
        nn.init.xavier_normal_(self.merge.weight)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        query, key, value = (
            part(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        shares = self.dropout((query @ key.transpose(2, 3) / query.shape[-1] ** 0.5).softmax(-1))
        mixed = (shares @ value).transpose(1, 2).flatten(2)
        normed: Tensor = self.norm(self.dropout(self.merge(mixed)) + x)
        return normed


class ReleasedMaskNetwork(SnippetMasks):
    """Attention on the features themselves, without positions; mask channel i is the mask of snippet i."""

    def __init__(self, inputs: int, hidden: int, heads: int, length: int, classes: int, dropout: float = 0.3) -> None:
        super().__init__()
        self.attend = WideAttention(inputs, heads, dropout)
        self.classify = nn.Linear(inputs, classes + 1)
        self.mask = nn.Sequential(
            TimeConvolution(inputs, hidden, 3), nn.ReLU(), TimeConvolution(hidden, length, bias=False)
        )
        self.rebuild = nn.Identity()

    def features(self, windows: Tensor) -> Tensor:
        attended: Tensor = self.attend(windows)
        return attended

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(windows)
        return self.classify(features), self.mask(features).transpose(1, 2)


def released_class_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Cross entropy of all snippets, its focal factor taken once from the mean: (1 - exp(-m))^2 m."""
    mean = F.cross_entropy(logits.flatten(0, 1), label.flatten())
    return (1 - (-mean).exp()) ** 2 * mean


def released_mask_loss(probability: Tensor, mask: Tensor) -> Tensor:
    """0.4 weighted cross entropy plus 0.6 Dice over all rows of ``probability`` and ``mask`` (B, T, T).

    Counts of positive and of all cells start at 10, and the Dice has no factor 2, so that a perfect mask costs .3.
    """
    positive = 10 + mask.sum()
    entries = 10 + positive + (1 - mask).sum()
    ratio = entries / positive
    found = 0.5 * ratio * mask * (probability + 1e-6).log()
    empty = 0.5 * ratio / (ratio - 1) * (1 - mask) * (1 - probability + 1e-6).log()
    entropy = -(found + empty).sum() / entries
    return 0.4 * entropy + 0.6 * released_dice(probability, mask)


def released_dice(probability: Tensor, mask: Tensor) -> Tensor:
    """1 - (sum p t + 1) / (sum p^2 + t^2 + 1) of each window, mean over windows."""
    p, t = probability.flatten(1), mask.flatten(1)
    return (1 - ((p * t).sum(1) + 1) / ((p.square() + t.square()).sum(1) + 1)).mean()


class MaskCandidates(NamedTuple):
    """N candidates of a window: cells ``start`` and ``end``, two scores whose product counts, ``label`` (N,)."""

    start: np.ndarray
    end: np.ndarray
    located: np.ndarray
    classified: np.ndarray
    label: np.ndarray


def released_candidates(
    logits: np.ndarray, mask: np.ndarray, top: int, external: tuple[int, float] | None = None
) -> MaskCandidates:
    """Candidates of one window, without repeats; those of very short runs have no score (NaN), as released.

    All have one class: the largest mean logit over the window, or ``external`` (class, score) of another classifier.
    An end is the last cell above the cut, not one behind it.

    Args:
        logits: (T, C + 1) of the snippets, background last.
        mask: (T, T) probabilities, row t the mask of snippet t.
        top: snippets whose masks are read.
    """
    probability = torch.from_numpy(logits).softmax(1).numpy()[:, :-1]
    best = probability.max(axis=1)
    label = int(logits[:, :-1].mean(axis=0).argmax())
    named, given = external or (label, None)
    hulls = class_hulls(best)
    found: dict[tuple[float, ...], None] = {}
    for snippet in np.argsort(-best, kind="stable")[:top]:
        row = mask[snippet]
        for above in (np.flatnonzero(row > cut) for cut in MASK_CUTS):
            if not len(above):
                continue
            first, last = longest_run(above)
            # Runs of at most a fiftieth of the window are no candidates in the released code.
            if (last - first) / len(row) <= 0.02:
                continue
            inner = row[first + 1 : last - 1]
            own = float(probability[first:last, label].max())
            located = own * float(inner.mean()) if len(inner) else NAN
            found[(above[0], above[-1], located, own * float(best[snippet]) if given is None else given)] = None
            for start, end in hulls:
                score = float(best[start:end].max()) if given is None else given
                found[(start, end, float(row[start:end].max()), score)] = None
    rows = np.array(list(found), dtype=np.float64).reshape(-1, 4)
    return MaskCandidates(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], np.full(len(rows), named))


def class_hulls(best: np.ndarray) -> list[tuple[int, int]]:
    """First and last cell whose best class probability (T,) exceeds each cut, where they are two or more apart."""
    above = [np.flatnonzero(best > cut) for cut in CLASS_CUTS]
    return [(int(cells[0]), int(cells[-1])) for cells in above if len(cells) and cells[-1] - cells[0] > 1]


def longest_run(cells: np.ndarray) -> tuple[int, int]:
    """First and last of the longest run of consecutive numbers in ascending ``cells``; the first of equal ones."""
    runs = np.split(cells, np.flatnonzero(np.diff(cells) > 1) + 1)
    longest = max(runs, key=len)
    return int(longest[0]), int(longest[-1])


def released_overlap(start: np.ndarray, end: np.ndarray, row: int) -> np.ndarray:
    """Overlap (N,) of segment ``row`` with all as released: the intersection begins at the smaller start."""
    first, last = np.minimum(start[row], start), np.minimum(end[row], end)
    both, either = last - first, np.maximum(end[row], end) - first
    apart = (start > end[row]) | (start[row] > end)
    union = either - both + (end - start)
    return np.where(apart, 0.0, both / np.where(apart, 1.0, union))


def released_suppression(
    start: np.ndarray, end: np.ndarray, score: np.ndarray, picks: int = PICKS
) -> tuple[np.ndarray, np.ndarray]:
    """Rows in picking order and their scores: the score of whatever overlaps is multiplied by exp(-10 overlap^2) / 0.6.

    Small overlaps raise a score, and the last remaining row is never picked.
    """
    left, value = list(np.argsort(-score, kind="stable")), score.astype(np.float64).copy()
    rows: list[int] = []
    while len(left) > 1 and len(rows) < picks and value[left].max() > 0:
        row = int(left.pop(int(value[left].argmax())))
        others = np.array(left)
        overlap = released_overlap(start, end, row)[others]
        value[others] *= np.where(overlap > 0, np.exp(-10 * overlap**2) / 0.6, 1.0)
        rows.append(row)
    return np.array(rows, dtype=np.int64), value[np.array(rows, dtype=np.int64)]
