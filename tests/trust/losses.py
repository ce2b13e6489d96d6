"""Every loss of ``methods`` at a point where it is plain: what is found in the files, and a case for each.

A case is a function of one tensor: probabilities, which may become 0 and 1, scores, which may become huge, or
thresholds, which stay within 0 and 1.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from methods.actor_detection.parts import losses as actors
from methods.actor_detection.parts.thresholds import threshold_penalty
from methods.networks.actionformer.losses import distance_iou, smooth_labels, update_normalizer
from methods.networks.bmn import losses as bmn
from methods.networks.bmn.model import BoundaryMap
from methods.recognition.parts import losses as clips
from methods.weak_localization import em_mil, wtalc
from methods.weak_localization.parts import branch_network, em_network, peak_localizer, selection, three_c_losses

ROOT = Path(__file__).resolve().parents[2] / "methods"
WORDS = ("loss", "entropy", "focal", "penalty", "iou")
B, T, C = 4, 6, 3

Domain = Literal["scores", "probabilities", "thresholds"]


def discovered() -> set[tuple[str, str]]:
    """Module and name of every public function of ``methods`` that gives a loss, or helps one in a file of losses."""
    found = set()
    for path in ROOT.rglob("*.py"):
        module = ".".join(("methods", *path.relative_to(ROOT).with_suffix("").parts))
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_") or node.returns is None:
                continue
            named = any(word in node.name for word in WORDS) or "loss" in path.stem
            if named and "Tensor" in ast.unparse(node.returns):
                found.add((module, node.name))
    return found


@contextmanager
def called() -> Any:
    """Inside, the functions of ``methods`` that are called come into the set that it gives, as :func:`discovered`."""
    seen: set[tuple[str, str]] = set()

    def note(frame: Any, event: str, _: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("methods."):
            seen.add((module, frame.f_code.co_name))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(before)


@dataclass(frozen=True)
class Case:
    """A loss of a tensor of ``shape``.

    ``half``: it is taken in float16, too (else only in bfloat16: automatic precision keeps its inputs in float32).
    ``whole``: all of the value's gradient passes through it (else parts of it are detached on purpose).
    """

    loss: Callable[[Tensor], Tensor]
    domain: Domain
    shape: tuple[int, ...]
    half: bool = True
    whole: bool = True

    def point(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """Where it is plain: no two entries are alike."""
        count = torch.Size(self.shape).numel()
        flat = torch.linspace(-2.1, 2.3, count)[torch.randperm(count, generator=torch.manual_seed(count))]
        found = flat.reshape(self.shape)
        return (found if self.domain == "scores" else 0.1 + 0.8 * found.sigmoid()).to(dtype)


LABELS = torch.tensor([[1.0, 0, 1], [1, 0, 0], [0, 1, 1], [1, 1, 0]])
LENGTHS = torch.tensor([6, 4, 1, 5])
MASK = (torch.arange(B * T).reshape(B, T) % 3 == 0).float()
SOME, NOBODY = torch.tensor([True, False, True, True]), torch.zeros(B, dtype=torch.bool)
MAP = torch.linspace(0, 1, B * C * T).reshape(B, C, T)
DRAWS = bmn.Draws(MAP.flip(0), MAP.flip(1))
ENDS = torch.linspace(0, 1, B * T).reshape(B, T)


def joint(z: Tensor) -> Tensor:
    labels = clips.one_hot(torch.tensor([0, 2, 1, 2]), C, z)
    return clips.joint_estimation(z, z.flip(0), labels, 2.0)


def distance(p: Tensor) -> Tensor:
    return distance_iou(p, like(LENGTHS[:, None].expand(B, 2) / 4, p)).sum()


def like(tensor: Tensor, other: Tensor) -> Tensor:
    return tensor.to(other.dtype)


def boundaries(p: Tensor) -> BoundaryMap:
    """A map whose four parts all depend on ``p`` (B, C, T)."""
    return BoundaryMap(p[:, 0], p[:, 1], p, p.flip(0))


def map_targets(p: Tensor, tiou: Tensor = MAP) -> bmn.MapTargets:
    return bmn.MapTargets(like(ENDS, p), like(ENDS.flip(0), p), like(tiou, p))


def drawn(p: Tensor) -> bmn.Draws:
    return bmn.Draws(like(DRAWS.middle, p), like(DRAWS.low, p))


def community(p: Tensor, tiou: Tensor = MAP) -> Tensor:
    valid = torch.ones(C, T, dtype=torch.bool)
    return sum(bmn.community_losses(boundaries(p), map_targets(p, tiou), valid, drawn(p)).values())  # type: ignore[return-value]


def opentad(p: Tensor, tiou: Tensor = MAP) -> Tensor:
    cells, draws = torch.arange(C * T), drawn(p)
    flat = bmn.Draws(draws.middle.flatten(1), draws.low.flatten(1))
    return sum(bmn.opentad_losses(boundaries(p), map_targets(p, tiou), cells, flat).values())  # type: ignore[return-value]


def co_activity(z: Tensor, labels: Tensor = LABELS) -> Tensor:
    return wtalc.co_activity_loss(z, z, LENGTHS, like(labels, z), 2, 0.5)


def stream(p: Tensor, counted: Tensor = SOME) -> Tensor:
    target = like(torch.linspace(0, 1, B * T * C).reshape(B, T, C), p)
    return em_mil.stream_entropy(p, target, LENGTHS, counted)


def instances(z: Tensor, counted: Tensor | None = None, labels: Tensor = LABELS) -> Tensor:
    return peak_localizer.multiple_instance_loss(z, LENGTHS, like(labels, z), 2, counted)


def attended(z: Tensor) -> Tensor:
    return three_c_losses.attended_features(z, z.flip(1), LENGTHS).square().sum()


def centre_gradient(z: Tensor) -> Tensor:
    labels = like(LABELS, z)
    return z.sum() * 0 + three_c_losses.centre_gradient(z, torch.ones_like(z[0]), labels, "mean").sum()


CASES: dict[str, Case] = {
    "thresholds": Case(lambda t: threshold_penalty(t).sum(), "thresholds", (C,)),
    "poses": Case(lambda z: actors.action_probabilities(z, 1).square().sum(), "scores", (B, C)),
    "joint estimation": Case(joint, "scores", (B, C), whole=False),
    "label count": Case(lambda p: clips.label_count_penalty(p, 2.0), "probabilities", (B, C)),
    "smoothed": Case(lambda p: smooth_labels(p, 0.1).square().sum(), "probabilities", (B, C)),
    "normalizer": Case(lambda p: update_normalizer(p.sum(), torch.tensor(0)), "probabilities", (B, C)),
    "distance": Case(distance, "probabilities", (B, 2)),
    "bmn community": Case(community, "probabilities", (B, C, T)),
    "bmn community, no proposal": Case(lambda p: community(p, MAP * 0), "probabilities", (B, C, T)),
    "bmn opentad": Case(opentad, "probabilities", (B, C, T)),
    "bmn opentad, no proposal": Case(lambda p: opentad(p, MAP * 0), "probabilities", (B, C, T)),
    "streams": Case(stream, "probabilities", (B, T, 2, C)),
    "streams, nobody counted": Case(lambda p: stream(p, NOBODY), "probabilities", (B, T, 2, C)),
    "diversity": Case(lambda z: branch_network.diversity_loss(z, LENGTHS).sum(), "scores", (B, 3, T, C)),
    "diversity of one": Case(lambda z: branch_network.diversity_loss(z, LENGTHS).sum(), "scores", (B, 1, T, C)),
    "sizes of branches": Case(lambda z: branch_network.norm_loss(z, LENGTHS).sum(), "scores", (B, 3, T, C)),
    "video": Case(lambda p: em_network.video_loss(p, like(LABELS, p)), "probabilities", (B, C)),
    "video without labels": Case(
        lambda p: em_network.video_loss(p, like(LABELS * 0, p)), "probabilities", (B, C), half=False
    ),
    "instances": Case(instances, "scores", (B, T, C)),
    "instances, nobody counted": Case(lambda z: instances(z, NOBODY), "scores", (B, T, C)),
    "instances without labels": Case(lambda z: instances(z, None, LABELS * 0), "scores", (B, T, C)),
    "selection": Case(lambda z: selection.classification_loss(z, like(LABELS, z)), "scores", (B, C)),
    "selection without labels": Case(lambda z: selection.classification_loss(z, like(LABELS * 0, z)), "scores", (B, C)),
    "actionness": Case(lambda p: selection.generalized_cross_entropy(p, like(MASK, p), 0.7), "probabilities", (B, T)),
    "actionness, all selected": Case(
        lambda p: selection.generalized_cross_entropy(p, like(MASK * 0 + 1, p), 0.7), "probabilities", (B, T)
    ),
    "actionness, q to 0": Case(
        lambda p: selection.binary_cross_entropy(p, like(MASK, p)), "probabilities", (B, T), half=False
    ),
    "co-activity": Case(co_activity, "scores", (B, T, C), half=False),
    "co-activity of nothing shared": Case(lambda z: co_activity(z, LABELS * 0), "scores", (B, T, C), half=False),
    "attended": Case(attended, "scores", (B, T, 2, C)),
    "gradient of centres": Case(centre_gradient, "scores", (B, 2, C, T), whole=False),
}
