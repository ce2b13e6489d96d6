"""One training step of every network, at the sizes of the papers and at small ones; torch and NumPy are all it needs.

Inputs are random numbers of plausible size: what is measured is agreement, time and memory, not what is learnt.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

Tensors = dict[str, Any]  # tensors and plain numbers


@dataclass(frozen=True)
class Case:
    """A network with inputs and the loss of its method.

    ``samples`` in a step, counted in ``unit``; ``schedule``: steps of the published training, 0 where it is not known.
    """

    network: nn.Module
    inputs: Tensors
    loss: Callable[[nn.Module, Tensors], Tensor]
    samples: int
    unit: str
    schedule: int = 0

    def to(self, device: torch.device | str) -> Case:
        """The same on ``device``."""
        moved = {name: v.to(device) if isinstance(v, Tensor) else v for name, v in self.inputs.items()}
        return replace(self, network=self.network.to(device), inputs=moved)


def action_selection(full: bool) -> Case:
    """ASL at THUMOS size: 16 videos of 750 positions, 2,048 channels, 20 classes."""
    from methods.weak_localization.parts import selection as parts
    from methods.weak_localization.parts.networks import ActionSelectionNet

    videos, positions, width, hidden = (16, 750, 2048, 512) if full else (3, 40, 16, 8)
    features, labels = torch.rand(videos, positions, width), torch.eye(20)[torch.randint(20, (videos,))]

    def loss(network: nn.Module, inputs: Tensors) -> Tensor:
        scores = network(inputs["features"])
        with torch.no_grad():
            selection = parts.select(scores.logits.softmax(-1), scores.actionness, 2 / 3)
            chosen = parts.top_k(selection, 8)
            mask = parts.selected_positions(chosen, inputs["labels"], positions)
        total = parts.classification_loss(parts.pool(scores.logits, chosen), inputs["labels"])
        for actionness in scores.actionness.unbind(-1):
            total = total + parts.generalized_cross_entropy(actionness, mask, 0.7)
        return total

    network = ActionSelectionNet(width, hidden, 20)
    return Case(network, {"features": features, "labels": labels}, loss, videos, "videos", 20_000)


def recognition_head(full: bool) -> Case:
    """Mask BCE and P+S BCE on the features of EPIC-KITCHENS: 97 verbs."""
    from methods.networks.mlp import FeatureMLP
    from methods.recognition.parts import losses

    clips, channels, hidden, classes = (512, 4096, 1024, 97) if full else (32, 16, 8, 7)
    label = torch.randint(classes, (clips,))
    inputs = {"features": torch.randn(clips, channels), "target": torch.eye(classes)[label]}
    inputs["pseudo"] = (torch.rand(clips, classes) < 0.1) & (inputs["target"] == 0)

    def loss(network: nn.Module, inputs: Tensors) -> Tensor:
        logits = network(inputs["features"])
        masked = losses.mask_bce(logits, inputs["target"], inputs["pseudo"])
        return masked + losses.pseudo_single_bce(logits, inputs["target"], inputs["pseudo"])

    return Case(FeatureMLP(channels, classes, hidden), inputs, loss, clips, "clips", 131 * 50 if full else 0)


class Stack(nn.Module):
    """Networks of one shape side by side, as the suite trains packed trials: (N, ...) weights, one mapped forward."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        parameters, buffers = stack_module_state(list(networks))
        self.stacks = nn.ParameterDict({name.replace(".", "/"): stack for name, stack in parameters.items()})
        for name, stack in buffers.items():
            self.register_buffer(name.replace(".", "/"), stack)
        self.skeleton = [copy.deepcopy(networks[0]).to("meta")]  # in a list: its tensors are not this module's

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) -> (N, B, C), the same samples for every network."""
        skeleton = self.skeleton[0].train(self.training)
        stacks = {name.replace("/", "."): stack for name, stack in [*self.stacks.items(), *self.named_buffers()]}
        return vmap(lambda own: functional_call(skeleton, own, (features,)), randomness="same")(stacks)


def packed_heads(full: bool) -> Case:
    """The same head 256 times, as trials of a sweep are packed, each with its own weights."""
    from methods.networks.mlp import FeatureMLP
    from methods.recognition.parts import losses

    alone, count = recognition_head(full), 256 if full else 3
    channels, classes = alone.inputs["features"].shape[1], alone.inputs["target"].shape[1]
    heads = [FeatureMLP(channels, classes, 1024 if full else 8) for _ in range(count)]

    def loss(network: nn.Module, inputs: Tensors) -> Tensor:
        logits = network(inputs["features"]).flatten(0, 1)
        target, pseudo = (inputs[name].repeat(count, 1) for name in ("target", "pseudo"))
        return count * (losses.mask_bce(logits, target, pseudo) + losses.pseudo_single_bce(logits, target, pseudo))

    return Case(Stack(heads), alone.inputs, loss, count * alone.samples, "clips")


def unpadded_actionformer(full: bool) -> Case:
    """ActionFormer on two videos of 1,300 and 1,000 snippets, padded no further than its numbers need."""
    # Of a few positive points one whose boundary crosses the truth's moves the gradient by a tenth in half precision.
    return actionformer(full, (1300, 1000) if full else (208, 176))


def actionformer(full: bool, lengths: tuple[int, int] | None = None) -> Case:
    """ActionFormer at THUMOS size: two videos of 2,048 channels, padded to 2,304 snippets (to ``lengths``)."""
    from methods.networks.actionformer.config import ActionFormerConfig
    from methods.networks.actionformer.losses import detector_losses
    from methods.networks.actionformer.model import ActionFormer, pyramid_points
    from methods.networks.actionformer.targets import Targets

    config = ActionFormerConfig(2048, 20) if full else ActionFormerConfig(16, 3, 16, max_length=256, windows=(9,) * 4)
    longest, videos = config.max_length, 2
    length = max(lengths) if lengths else longest
    points = len(pyramid_points(config.computed_length(length), config))
    instance = torch.where(torch.rand(videos, points) < 0.05, 0, -1)
    inputs = {
        "features": torch.randn(videos, length, config.input_dim),
        "length": torch.tensor(lengths or (longest, longest - longest // 8)),
        "classes": (torch.rand(videos, points, config.classes) < 0.02).float(),
        "offsets": 5 * torch.rand(videos, points, 2),
        "instance": instance,
    }

    def loss(network: nn.Module, inputs: Tensors) -> Tensor:
        found = network(inputs["features"], inputs["length"])
        sums = detector_losses(found, Targets(inputs["classes"], inputs["offsets"], inputs["instance"]))
        return (sums.classification + sums.regression) / sums.positive_points.clamp(min=1)

    return Case(ActionFormer(config), inputs, loss, videos, "videos", 35 * 100 if full else 0)


def boundary_matching(full: bool) -> Case:
    """BMN, batch 16 at the sizes of ActivityNet-1.3."""
    from methods.networks.bmn.losses import Draws, MapTargets, community_losses
    from methods.networks.bmn.model import BMN, BMNConfig

    config = BMNConfig() if full else BMNConfig(16, 20, 20, "start-end", 16, 16, 16, 8, 2, 4, 2)
    batch, network = 16 if full else 2, BMN(config)
    inputs = {"features": torch.randn(batch, config.length, config.input_dim)}
    inputs |= {name: torch.rand(batch, config.length) for name in ("start", "end")}
    inputs |= {name: torch.rand(batch, *config.map_shape) for name in ("tiou", "middle", "low")}

    def loss(network: nn.Module, inputs: Tensors) -> Tensor:
        assert isinstance(network, BMN)
        targets = MapTargets(inputs["start"], inputs["end"], inputs["tiou"])
        draws = Draws(inputs["middle"], inputs["low"])
        return torch.stack(
            [*community_losses(network(inputs["features"]), targets, network.valid, draws).values()]
        ).sum()

    return Case(network, inputs, loss, batch, "videos", 9 * 603 if full else 0)


def slowfast(full: bool, relation: bool = False) -> Case:
    """SlowFast 8×8 R50 on clips of 32 frames at 224, three people each; ``relation``: with ACAR's head."""
    from methods.actor_detection.parts.losses import balanced_mean, multi_label_loss
    from methods.networks.slowfast_detector import ActorDetector

    clips, frames, side, people = (8, 32, 224, 3) if full else (4, 8, 96, 2)
    size = {} if full else {"width": 8, "blocks": (1, 1, 1, 1), "beta_inverse": 2}
    head = "relation" if relation else "linear"
    corner = 0.5 * torch.rand(clips * people, 2)
    owner = torch.arange(clips).repeat_interleave(people)[:, None].float()
    boxes = torch.cat([owner, corner, corner + 0.4], dim=1)
    inputs = {"clips": torch.rand(clips, 3, frames, side, side), "boxes": boxes}
    inputs["labels"] = (torch.rand(clips * people, 60) < 0.04).float()

    def loss(network: nn.Module, inputs: Tensors) -> Tensor:
        return balanced_mean(multi_label_loss(network(inputs["clips"], inputs["boxes"]).float(), inputs["labels"]))

    network = ActorDetector(60, head=head, **size)  # type: ignore[arg-type]
    return Case(network, inputs, loss, clips, "clips", 0)


def acar(full: bool) -> Case:
    """SlowFast with the relation head of ACAR."""
    return slowfast(full, relation=True)


def teacher_student(full: bool, together: bool = False) -> Case:
    """A semi-supervised step on people's features: labelled ones, a teacher without gradient, the student's view.

    ``together``: labelled people and the student's view in one forward pass; the teacher has weights of its own.
    """
    from methods.actor_detection.parts.losses import balanced_mean, multi_label_loss, pseudo_label_loss
    from methods.actor_detection.parts.thresholds import gated_targets
    from methods.networks.actor_mlp import ActorMLP

    people, channels, classes = (4096, 2304, 60) if full else (32, 16, 7)
    network = ActorMLP(torch.zeros(channels), torch.ones(channels), classes, 512 if full else 8)
    network.teacher = copy.deepcopy(network).requires_grad_(False)
    inputs = {name: torch.randn(people, channels) for name in ("labelled", "weak", "strong")}
    inputs["labels"] = (torch.rand(people, classes) < 0.04).float()
    inputs["thresholds"] = torch.full((classes,), 0.5)

    def loss(network: nn.Module, inputs: Tensors) -> Tensor:
        with torch.no_grad():
            scores = network.teacher(inputs["weak"]).float().sigmoid()  # type: ignore[operator]
        views = inputs["labelled"], inputs["strong"]
        labelled, strong = network(torch.cat(views)).chunk(2) if together else map(network, views)
        supervised = balanced_mean(multi_label_loss(labelled.float(), inputs["labels"]))
        pseudo = gated_targets(scores, inputs["thresholds"], 0.1, 10.0)
        return supervised + 0.3 * balanced_mean(pseudo_label_loss(strong.float(), pseudo))

    return Case(network, inputs, loss, 2 * people, "people", 0)


def one_forward(full: bool) -> Case:
    """The same step with one forward pass of the student."""
    return teacher_student(full, together=True)


CASES: dict[str, Callable[[bool], Case]] = {
    "ASL": action_selection,
    "recognition head": recognition_head,
    "256 recognition heads": packed_heads,
    "ActionFormer": actionformer,
    "ActionFormer without padding": unpadded_actionformer,
    "BMN": boundary_matching,
    "SlowFast 8x8 R50": slowfast,
    "ACAR": acar,
    "teacher and student": teacher_student,
    "teacher and student, one forward": one_forward,
}


def made(name: str, full: bool) -> Case:
    """The case called ``name``, with the same random numbers whatever others are made."""
    torch.manual_seed(0)
    return CASES[name](full)
