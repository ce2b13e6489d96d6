"""Top-k multiple instance learning: the classifier of ASL alone, selecting by its own scores (ASL-s, trained so)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from methods.weak_localization.parts.networks import SnippetScores, check_width, detached, snippet_mlp
from methods.weak_localization.parts.selection import classification_loss, pool, top_k
from methods.weak_localization.parts.selection_localizer import SelectionLocalizer
from methods.weak_localization.parts.selection_recipes import LITERAL, PUBLISHED
from suite.method import Batch, Losses, Presets, Run, Selection
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


class ClassifierNet(nn.Module):
    """The classifier F of ASL on each snippet; its actionness is zero."""

    def __init__(self, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.width = width
        self.classifier = snippet_mlp(width, hidden, classes)

    def forward(self, rows: Tensor) -> SnippetScores:
        """Scores of feature rows (..., D), with actionness (..., 1)."""
        check_width(rows, self.width)
        logits = self.classifier(rows)
        return SnippetScores(logits, torch.zeros_like(logits[..., :1]))


class TopKMIL(SelectionLocalizer):
    """The baseline that every method of this family starts from."""

    name = "topk-mil"
    title = "Top-k MIL (ASL-s)"
    paper = "Ma et al., CVPR 2021, Table 1"
    presets: ClassVar[Presets] = {"recommended": {}, "published": PUBLISHED, "literal": LITERAL}
    published_selection: ClassVar[Selection] = "oracle"

    def network(self, data: TaskData[Videos]) -> nn.Module:
        return ClassifierNet(data.train.rows.shape[1], self.hidden, len(data.classes))

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        scores = self.outputs(network, batch, run)
        chosen = top_k(self.training_selection(detached(scores), run), self.divisor)
        return {"classification": classification_loss(pool(scores.logits, chosen), self.labels(run, batch))}

    def selection(self, scores: SnippetScores, run: Run | None = None) -> Tensor:
        return self.class_scores(scores, run)
