"""Networks of weakly supervised localization.

Those that look at one snippet at a time say so: :mod:`methods.weak_localization.parts.distinct` feeds them each
distinct snippet once.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from methods.networks.products import Linear
from suite.errors import DataError


def snippet_mlp(width: int, hidden: int, out: int) -> nn.Sequential:
    """Linear-ReLU-Linear on each snippet: the 1×1 convolutions of the released code, which start from the same law."""
    return nn.Sequential(Linear(width, hidden), nn.ReLU(inplace=True), Linear(hidden, out))


def halves(width: int) -> int:
    """Channels of one modality; raises :class:`DataError` when the features cannot be cut in two."""
    if width % 2:
        raise DataError(
            f"features have {width} channels, which is not RGB and flow side by side: use actionness='single'."
        )
    return width // 2


def check_width(rows: Tensor, width: int) -> None:
    """Raise :class:`DataError` when feature rows are not ``width`` channels wide."""
    if rows.shape[-1] != width:
        raise DataError(
            f"features have {rows.shape[-1]} channels but the network was built for {width}: "
            "use the features it was trained on."
        )


class SnippetScores(NamedTuple):
    """Raw class activations (..., C) and actionness (..., S) in [0, 1], one value for each of S modalities."""

    logits: Tensor
    actionness: Tensor


def detached(scores: SnippetScores) -> SnippetScores:
    """The same values, constants for the gradient."""
    return SnippetScores(*(part.detach() for part in scores))


class ActionSelectionNet(nn.Module):
    """Classifier F and actionness G of ASL, on each snippet alone (§4; the released code has one G per modality).

    ``two_stream``: the first half of the channels is RGB, the second flow, each with its own G; else one G sees all.
    """

    def __init__(self, width: int, hidden: int, classes: int, two_stream: bool = True) -> None:
        super().__init__()
        self.width = width
        self.two_stream = two_stream
        self.classifier = snippet_mlp(width, hidden, classes)
        streams = ("rgb", "flow") if two_stream else ("all",)
        channels = halves(width) if two_stream else width
        self.actionness = nn.ModuleDict({name: snippet_mlp(channels, hidden, 1) for name in streams})

    def forward(self, rows: Tensor) -> SnippetScores:
        """Scores of feature rows (..., D)."""
        check_width(rows, self.width)
        views = rows.chunk(2, dim=-1) if self.two_stream else (rows,)
        actionness = [torch.sigmoid(net(view)) for net, view in zip(self.actionness.values(), views)]
        return SnippetScores(self.classifier(rows), torch.cat(actionness, dim=-1))
