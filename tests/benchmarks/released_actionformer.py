"""The training step of ActionFormer's released code, from a checkout of it: ``ACTIONFORMER_RELEASE=FOLDER``.

Source: github.com/happyharrycn/actionformer_release, configs/thumos_i3d.yaml. Its suppression is an extension that has
to be compiled and that no training step calls: an empty module stands for it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from methods.networks.actionformer.preparation import Sample

CONFIG = "configs/thumos_i3d.yaml"


class ReleasedTraining:
    """Its network in training, with its optimizer and its average of the weights."""

    def __init__(self, folder: Path) -> None:
        sys.modules.setdefault("nms_1d_cpu", ModuleType("nms_1d_cpu"))
        sys.path.insert(0, str(folder))
        core, modeling, utils = (importlib.import_module(f"libs.{name}") for name in ("core", "modeling", "utils"))
        settings = core.load_config(str(folder / CONFIG))
        self.network = modeling.make_meta_arch(settings["model_name"], **settings["model"]).train()
        self.optimizer = utils.make_optimizer(self.network, settings["opt"])
        self.average = utils.ModelEma(self.network)
        self.limit = settings["train_cfg"]["clip_grad_l2norm"]

    def step(self, videos: Sequence[dict[str, Any]]) -> float:
        """One step; returns the loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.network(videos)["final_loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.limit)
        self.optimizer.step()
        self.average.update(self.network)
        return float(loss.detach())


def video_of(sample: Sample) -> dict[str, Any]:
    """A video as the released network takes it: features (C, T), segments in snippets, labels."""
    return {
        "video_id": "v",
        "feats": torch.from_numpy(sample.features).T.contiguous(),
        "segments": torch.from_numpy(sample.segments).float(),
        "labels": torch.from_numpy(sample.labels),
        "fps": 30.0,
        "duration": len(sample.features) * 4 / 30.0,
        "feat_stride": 4,
        "feat_num_frames": 16,
    }
