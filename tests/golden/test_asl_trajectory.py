"""Twenty steps of Action Selection Learning against the released trainer: losses, T_pos, weights, detections."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from methods.weak_localization.action_selection import ActionSelection
from methods.weak_localization.parts.networks import SnippetScores
from methods.weak_localization.parts.sampling import uniform_index
from methods.weak_localization.parts.selection import selected_positions, top_k
from methods.weak_localization.parts.selection_localizer import class_score, mean_actionness, video_probability
from suite.evaluate.segments import Segments
from suite.method import Run
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from suite.train.optimizers import make_optimizer
from tests.golden import close, golden
from tests.golden.test_asl_inference import bare_videos, sorted_rows
from tests.golden.test_asl_step import build, our_name

GOLD = golden("asl_trajectory.npz")
CASES = sorted({key.split("__")[0] for key in GOLD})
LOSSES = {
    "loss_classification": "classification",
    "loss_gce_rgb": "actionness_rgb",
    "loss_gce_flow": "actionness_flow",
}
TOLERANCE = 1e-9  # README, case 15


class Trajectory:
    """The method as published, from the given weights, on the given batches."""

    def __init__(self, case: str) -> None:
        self.gold = {key.split("__", 1)[1]: value for key, value in GOLD.items() if key.startswith(f"{case}__")}
        self.features = torch.from_numpy(self.gold["train_features"])
        videos, self.positions, _ = self.features.shape
        self.method = ActionSelection(
            preset="published",
            lr=float(self.gold["lr"]),
            q=float(self.gold["q"]),
            positions=self.positions,
            divisor=self.positions // int(self.gold["k_top"]),
        )
        network = build({k.removeprefix("param__"): v for k, v in self.gold.items() if k.startswith("param__")})
        self.run = Run(self.data(videos), network, 0, torch.device("cpu"), lambda *_: None, lambda _, make: make())
        self.run.residents["rows"] = self.features.flatten(0, 1)
        self.run.residents["video_labels"] = torch.from_numpy(self.gold["train_labels"])
        (self.run.phase,) = self.method.phases(self.run.data)
        self.optimizer = make_optimizer(self.method, network, self.run.phase.optimizer)

    def data(self, videos: int) -> TaskData[Videos]:
        samples = bare_videos(np.full(videos, self.positions), self.gold["train_labels"].shape[1])
        return TaskData("golden", "weak-localization", ("",) * samples.video_labels.shape[1], *[samples] * 3)

    def batch(self, step: int) -> dict[str, torch.Tensor]:
        video = torch.from_numpy(self.gold["batch_order"][step])
        return {"video": video, "index": video[:, None] * self.positions + torch.arange(self.positions)}

    def step(self, step: int) -> tuple[dict[str, torch.Tensor], np.ndarray]:
        """Loss parts of a step, and T_pos (B, T) that it learned from."""
        batch, network = self.batch(step), self.run.network
        with torch.no_grad():
            outputs = self.method.outputs(network, batch, self.run)
            chosen = top_k(self.method.training_selection(outputs, self.run), self.method.divisor)
            t_pos = selected_positions(chosen, self.method.labels(self.run, batch), self.positions).numpy()
        parts = self.method.loss(network, batch, self.run)
        self.optimizer.zero_grad()
        sum(parts.values()).backward()
        self.optimizer.step()
        return {name: part.detach() for name, part in parts.items()}, t_pos

    def compare(self, prefix: str, read) -> None:
        expected = {k.removeprefix(prefix): v for k, v in self.gold.items() if k.startswith(prefix)}
        parameters = dict(self.run.network.named_parameters())
        assert len(expected) == len(parameters)
        for name, value in expected.items():
            close(read(parameters[our_name(name)]), value, TOLERANCE)


def adam(trajectory: Trajectory, moment: str):
    return lambda parameter: trajectory.optimizer.state[parameter][moment]


@pytest.fixture(scope="module", params=CASES)
def trained(request) -> Trajectory:
    """The trajectory at its end; every step has been compared on the way."""
    trajectory = Trajectory(request.param)
    gold = trajectory.gold
    for step in range(len(gold["batch_order"])):
        parts, t_pos = trajectory.step(step)
        for name, ours in LOSSES.items():
            close(parts[ours], gold[name][step], TOLERANCE)
        close(sum(parts.values()), gold["loss_total"][step], TOLERANCE)
        assert np.array_equal(t_pos, gold["t_pos"][step]), f"T_pos of step {step + 1}"
        values = torch.cat([p.detach().flatten() for p in trajectory.run.network.parameters()])
        close(values.sum(), gold["parameter_sum"][step], TOLERANCE)
        close(values.norm(), gold["parameter_l2"][step], TOLERANCE)
        if f"after_step{step + 1}__base_module.0.weight" in gold:
            trajectory.compare(f"after_step{step + 1}__", lambda p: p.detach())
    return trajectory


def test_every_step_and_adams_moments_at_the_end(trained):
    last = len(trained.gold["batch_order"])
    trained.compare(f"adam_first_moment_after_step{last}__", adam(trained, "exp_avg"))
    trained.compare(f"adam_second_moment_after_step{last}__", adam(trained, "exp_avg_sq"))


def videos_of_test(trained) -> list[np.ndarray]:
    names = [k for k in trained.gold if re.fullmatch(r"test_features_\d+", k)]
    return [trained.gold[k] for k in sorted(names, key=lambda k: int(k.rsplit("_", 1)[1]))]


def infer(trained: Trajectory, features: np.ndarray) -> tuple[SnippetScores, torch.Tensor, np.ndarray]:
    """Outputs on the uniform grid, h and video probability."""
    grid = uniform_index(len(features), trained.positions)
    with torch.no_grad():
        outputs = trained.run.network(torch.from_numpy(features[grid]))
    selection = trained.method.selection(outputs)
    offsets = np.array([0, trained.positions])
    probability = video_probability(outputs.logits, selection, offsets, trained.positions, trained.method.divisor)
    return outputs, selection, probability


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_detections_of_the_trained_network(trained, kind):
    method = ActionSelection(**{**trained.method.params, "nms": {"soft": "decay"}.get(kind, kind)})
    right = []
    for number, features in enumerate(videos_of_test(trained)):
        outputs, selection, probability = infer(trained, features)
        key = f"test_v{number}_"
        close(selection, trained.gold[f"{key}selection_h"], TOLERANCE)
        close(probability[0], trained.gold[f"{key}video_probability"], TOLERANCE)
        predicted = np.flatnonzero(method.shown(probability)[0])
        assert np.array_equal(predicted, trained.gold[f"{key}predicted_classes"])
        right.append(set(predicted.tolist()) == set(np.flatnonzero(trained.gold["test_labels"][number]).tolist()))
        scores = {
            "offsets": np.array([0, trained.positions]),
            "class_score": class_score(outputs.logits, method.class_score).numpy(),
            "actionness": mean_actionness(outputs).numpy(),
            "probability": probability,
        }
        found: Segments = method.decode(scores, bare_videos(np.array([len(features)]), outputs.logits.shape[1]))
        actual = np.stack([found.label, found.score, found.start, found.end], axis=1)
        expected = trained.gold[f"{key}proposals_{kind}_nms"]
        assert len(actual) == len(expected)
        close(sorted_rows(actual), sorted_rows(expected), TOLERANCE)
    close(np.mean(right), trained.gold["video_level_accuracy"], 1e-6)
