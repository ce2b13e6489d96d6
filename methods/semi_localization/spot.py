"""SPOT: proposal-free masks, a class and a mask over the whole window for every snippet.

Source: Nag et al., "Semi-Supervised Temporal Action Detection with Proposal-Free Masking", ECCV 2022. This follows the
paper; ``arithmetic=released`` has the network, losses, candidates and suppression of the released code. Not followed is
that this code never optimizes its loss on pseudo-labels, takes classes from a classifier trained on all video labels,
learns only the last annotation of a video and evaluates on a subset. First masked features are rebuilt on all videos,
then labelled windows and the network's own confident snippets and masks are learnt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from methods.semi_localization.parts.base import SemiLocalization, labelled, unlabelled_rows, unlabelled_share
from methods.semi_localization.parts.batches import endless
from methods.semi_localization.parts.detector import NOTHING, Labels
from methods.semi_localization.parts.mask_detector import MaskDetector
from methods.semi_localization.parts.masks import SnippetMasks
from methods.semi_localization.parts.unlabelled_windows import UnlabelledWindows
from suite.method import Batch, Losses, Phase, Run, Value, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

REBUILDING, JOINT = "rebuilding", "joint"  # the two phases

# The trainer of the released code, with the loss on pseudo-labels that it computes and leaves out.
RELEASED: Mapping[str, Value] = {
    "budget": "published",
    "optimizer": "adam",
    "schedule": "step",
    "fall_after": 10 / 25,
    "fall": 0.2,
    "clip": 0.0,
    "ema": "off",
    "unlabelled_batch": "by-share",
    "every_class": True,
    "top_snippets": 10,
    "resize": True,  # released for ActivityNet alone
    "arithmetic": "released",
}


class SPOT(SemiLocalization):
    """Masks instead of proposals, learnt from labels and from the network's own confident snippets."""

    name = "spot"
    title = "SPOT (from the paper)"
    paper = "Nag et al., Semi-Supervised Temporal Action Detection with Proposal-Free Masking, ECCV 2022"
    presets: ClassVar[Mapping[str, Mapping[str, Value]]] = {
        "recommended": {},
        "published": RELEASED,
        "small": {
            "length": 64,
            "width": 64,
            "batch": 8,
            "lr": 1e-3,
            "steps": 300,
            "semi_steps": 300,
            "evaluate_steps": 100,
        },
    }
    detector = MaskDetector()
    unlabelled = UnlabelledWindows()

    lr: float = hyper(4e-4, low=1e-8, high=1.0, log=True, source="released code")
    weight_decay: float = hyper(0.005, low=0.0, high=1.0, source="released code")
    batch: int = hyper(100, low=1, high=4096, source="released code", help="labelled windows per step")
    epochs: int = hyper(30, low=1, high=100_000, source="released code", help="of pre-training if published")
    semi_epochs: int = hyper(25, low=1, high=100_000, source="released code", help="of joint training if published")
    alpha: float = hyper(1.0, low=0.0, high=100.0, help="weight of the loss on pseudo-labels")
    every_class: bool = hyper(False, source="§3.3: true", help="learn from arg-max classes however unsure they are")
    ramp: float = hyper(0.5, low=0.0, high=1.0, help="share of the joint steps in which that weight grows from 0")
    sure: float = hyper(0.7, low=0.0, high=1.0, source="released code", help="mask or class probability taken as true")
    masked: float = hyper(0.2, low=0.01, high=0.9, help="share of the cells to rebuild in pre-training")

    def labelled_steps(self, data: TaskData[Videos]) -> int:
        """Steps that rebuild the windows of all videos."""
        everything = Labels(np.arange(len(data.train)), NOTHING)
        return self.steps if self.budget == "matched" else self.epochs * self.steps_of(data, everything)

    def unlabelled_steps(self, data: TaskData[Videos]) -> int:
        """Steps that learn masks: an epoch is one pass over the labelled windows, as in the released code."""
        return self.semi_steps if self.budget == "matched" else self.semi_epochs * self.steps_of(data, labelled(data))

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        first = self.phase(data, REBUILDING, self.labelled_steps(data), select=False)
        second = self.phase(data, JOINT, self.unlabelled_steps(data))
        return [replace(first, trainable=("embed", "attend", "norm", "rebuild")), second]

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        batches = self.rebuilding_batches if run.phase.name == REBUILDING else self.joint_batches
        return islice(batches(run, generator), self.evaluate_steps)

    def rebuilding_batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        """Windows of all videos, and which of their cells are hidden (B, T) bool."""
        windows = self.detector.windows(run.data.train, np.arange(len(run.data.train)))
        for rows in endless(np.arange(len(windows)), self.batch, generator):
            hidden = generator.random((len(rows), self.detector.length)) < self.masked
            yield {"features": windows.stacked(rows), "hidden": torch.from_numpy(hidden)}

    def joint_batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        """Labelled windows with targets, and unlabelled ones where there are any."""
        windows = self.detector.windows(run.data.train, unlabelled_rows(run.data))
        others = self.unlabelled.batches(windows, unlabelled_share(run.data), self.batch, generator)
        for batch in self.labelled_batches(run, generator):
            yield {"labelled": batch, **next(others)}

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        assert isinstance(network, SnippetMasks)
        if "hidden" in batch:
            hidden = batch["hidden"]
            rebuilt = network.rebuild(network.features(batch["features"] * ~hidden[:, :, None]))
            # Every cell is rebuilt, shown ones for nothing: their number would make the host wait for a device.
            error = (rebuilt - batch["features"]).square().mean(2)
            return {"rebuilding": (error * hidden).sum() / hidden.sum().clamp(min=1)}
        losses = super().loss(network, batch, run)
        if "unlabelled" in batch:
            guessed, outlined = network(batch["unlabelled"]["features"])
            losses |= self._pseudo(guessed, outlined, self.pseudo_weight(run))
        return losses

    def pseudo_weight(self, run: Run) -> float:
        """``alpha``, reached in a straight line over the first ``ramp`` of the joint phase."""
        total = self.ramp * (run.phase.steps or run.phase.epochs * self.evaluate_steps)
        return self.alpha * min(1.0, run.step / total if total > 0 else 1.0)

    def _pseudo(self, classes: Tensor, masks: Tensor, weight: float) -> Losses:
        """The same losses against the network's own classes and masks above ``sure``, held fixed.

        The paper takes every arg-max class; a snippet whose class is less than ``sure`` is left out here unless
        ``every_class``, since otherwise early mistakes feed themselves.
        """
        best, label = classes.detach().softmax(2).max(2)
        target = (masks.detach().sigmoid() >= self.sure).to(masks.dtype)
        trusted = torch.ones_like(best, dtype=torch.bool) if self.every_class else best >= self.sure
        foreground = (label < classes.shape[2] - 1) & (target.sum(2) > 0) & trusted
        class_part, mask_part = self.detector.losses(classes, masks, label, target, foreground, trusted)
        return {"pseudo_class": weight * class_part, "pseudo_mask": weight * mask_part}
