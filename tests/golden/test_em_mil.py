"""EM-MIL against its released code: targets, losses, eight epochs, the classifier of videos, the single cut."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from methods.weak_localization.em_mil import EMMIL, key_target, label_target, normalized, stream_entropy
from methods.weak_localization.parts.em_network import EMNetwork, video_loss
from suite.method import Phase, Run
from suite.tasks.data import TaskData
from suite.train.optimizers import make_optimizer, set_rate
from tests.golden import close, golden
from tests.golden.test_asl_inference import bare_videos, sorted_rows

STEP = golden("em_mil_step.npz")
DETECT = golden("em_mil_inference.npz")
CASES = sorted({key.split("__")[0] for key in STEP if "__m_stage1__loss" in key})
BUILT = [case for case in CASES if any(key.startswith(f"{case}__param__") for key in STEP)]
VIDEOS = sorted({m[1] for key in DETECT if (m := re.fullmatch(r"(v\d+)__key_rgb", key))})
STREAMS = ("rgb", "flow")
MARGIN = 0.15
SECONDS = 1.25  # a position of the released features: 15 frames, every second one taken, 24 a second
TOLERANCE = 1e-9


def case_data(case: str) -> dict[str, torch.Tensor]:
    found = {key.split("__", 1)[1]: value for key, value in STEP.items() if key.startswith(f"{case}__")}
    return {key: torch.from_numpy(np.asarray(value)) for key, value in found.items()}


def our_name(name: str) -> str:
    """``cls_tail_flow.1.weight`` is ``label.1.2.weight``."""
    net, tail, stream, kind = re.fullmatch(r"(key|cls)_(tail_)?(rgb|flow)\.\d\.(weight|bias)", name).groups()
    return f"{ {'key': 'key', 'cls': 'label'}[net] }.{STREAMS.index(stream)}.{2 if tail else 0}.{kind}"


def our_state(data: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Released names to ours; their linear layers are convolutions of kernel 1 here."""
    found = {our_name(k.removeprefix(prefix)): v for k, v in data.items() if k.startswith(prefix)}
    return {name: v[..., None] if name.endswith("2.weight") else v for name, v in found.items()}


def build(data: dict[str, torch.Tensor]) -> EMNetwork:
    state = our_state(data, "param__")
    hidden, half, _ = state["key.0.0.weight"].shape
    network = EMNetwork(2 * half, hidden, len(state["label.0.2.bias"])).double()
    network.load_state_dict(state)
    return network


@pytest.mark.parametrize("case", BUILT)
def test_forward(case):
    data = case_data(case)
    scores = build(data)(data["features"][None])
    for stream, name in enumerate(STREAMS):
        close(scores.key[0, :, stream].detach(), data[f"key_{name}"], TOLERANCE)
        close(scores.label[0, :, stream].detach(), data[f"class_{name}"], TOLERANCE)
    if "mean_key" in data:
        close(scores.key[0].mean(dim=-1).detach(), data["mean_key"], TOLERANCE)
        close(scores.label[0].mean(dim=1).detach(), data["mean_class"], TOLERANCE)


@pytest.mark.parametrize("step", ["m_stage1", "m_stage2", "e"])
@pytest.mark.parametrize("case", CASES)
def test_targets_losses_and_gradients(case, step):
    data = case_data(case)
    key = torch.stack([data[f"key_{s}"] for s in STREAMS], dim=-1)[None].requires_grad_()
    label = torch.stack([data[f"class_{s}"] for s in STREAMS], dim=1)[None].requires_grad_()
    labels, lengths = data["video_labels"][None], torch.tensor([key.shape[1]])
    if step == "e":
        target, learner = key_target(label.detach().mean(dim=2), lengths, labels), key
    elif step == "m_stage1":
        target, learner = labels[:, None].expand(-1, key.shape[1], -1), label
    else:
        target, learner = label_target(key.detach().mean(dim=-1), lengths, labels, MARGIN), label
    assert np.array_equal(target[0], data[f"{step}__target"])
    loss = stream_entropy(learner, target, lengths, torch.ones(1))
    loss.backward()
    close(loss.item(), data[f"{step}__loss"], TOLERANCE)
    for stream, name in enumerate(STREAMS):
        for tensor, theirs in ((key.grad, f"grad_key_{name}"), (label.grad, f"grad_class_{name}")):
            expected = data[f"{step}__{theirs}"]
            found = torch.zeros_like(expected) if tensor is None else tensor[0, :, stream]
            close(found, expected, 1e-8)


class Epochs:
    """The method on the fixed videos of ``steps__``, one at a time, as published; the last video has no labels."""

    def __init__(self) -> None:
        data = {k.removeprefix("steps__"): torch.from_numpy(np.asarray(v)) for k, v in STEP.items() if "steps__" in k}
        self.data = data
        videos = [data[f"features_{i}"] for i in range(len(data["video_labels"]))]
        self.lengths = [len(video) for video in videos]
        samples = bare_videos(np.array(self.lengths), data["video_labels"].shape[1])
        task = TaskData("golden", "weak-localization", ("",) * data["video_labels"].shape[1], *[samples] * 3)
        self.run = Run(task, build(data), 0, torch.device("cpu"), lambda *_: None, lambda _, make: make())
        self.run.residents["rows"] = torch.cat(videos)
        self.run.residents["video_labels"] = data["video_labels"]
        self.method = EMMIL(preset="published")
        phase = self.method.stage("label", 1, self.method.phases(None)[1].optimizer, new=True)
        self.optimizer = make_optimizer(self.method, self.run.network, phase.optimizer)

    def phase(self, epoch: int) -> Phase:
        """The phase whose loss the released epoch has."""
        expects, stage = bool(self.data["epoch_is_e_step"][epoch]), int(self.data["epoch_stage"][epoch])
        wanted = "key" if expects else "label" if stage == 1 else "label-from-keys"
        return next(phase for phase in self.method.phases(None) if phase.name == wanted)

    def epoch(self, epoch: int, frozen_moves: bool) -> list[float]:
        """Losses of the epoch's videos. ``frozen_moves``: before PyTorch 2.0 gradients were zeroed, not dropped."""
        run, losses = self.run, []
        run.phase = self.phase(epoch)
        moving = Phase(steps=1, optimizer=EMMIL(lr=float(self.data["epoch_lr"][epoch])).phases(None)[0].optimizer)
        set_rate(self.optimizer, moving, 0, 1)
        for name, parameter in run.network.named_parameters():
            parameter.requires_grad_(name.startswith(run.phase.trainable))
        for video, length in enumerate(self.lengths):
            if not self.data["video_labels"][video].any():
                continue  # released: skipped, no step
            start = sum(self.lengths[:video])
            batch = {
                "video": torch.tensor([video]),
                "index": torch.arange(start, start + length)[None],
                "length": torch.tensor([length]),
            }
            self.optimizer.zero_grad(set_to_none=not frozen_moves)
            total = sum(self.method.loss(run.network, batch, run).values())
            total.backward()
            self.optimizer.step()
            losses.append(float(total.detach()))
        return losses


@pytest.mark.parametrize("reading", ["grads_dropped", "grads_zeroed"])
def test_eight_epochs(reading):
    epochs = Epochs()
    losses = []
    for epoch in range(len(epochs.data["epoch_lr"])):
        losses += epochs.epoch(epoch, frozen_moves=reading == "grads_zeroed")
        for name, value in our_state(epochs.data, f"{reading}_after_epoch{epoch + 1}__").items():
            close(epochs.run.network.state_dict()[name], value, TOLERANCE)
    close(losses, epochs.data[f"{reading}_losses"], TOLERANCE)


def test_videos_without_labels_teach_nothing():
    epochs = Epochs()
    epochs.run.phase = epochs.phase(0)
    silent = len(epochs.lengths) - 1
    assert not epochs.data["video_labels"][silent].any()
    start = sum(epochs.lengths[:silent])
    batch = {
        "video": torch.tensor([silent]),
        "index": torch.arange(start, start + epochs.lengths[silent])[None],
        "length": torch.tensor(epochs.lengths[silent:]),
    }
    parts = epochs.method.loss(epochs.run.network, batch, epochs.run)
    assert [part.item() for part in parts.values()] == [0.0]


UNTRIMMED = {"att": "attend", "cls": "classify"}


def untrimmed_state(data: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    state = {}
    for key, value in data.items():
        match = re.fullmatch(re.escape(prefix) + r"(att|cls)_(rgb|flow)\.0\.(weight|bias)", key)
        if match:
            state[f"{UNTRIMMED[match[1]]}.{STREAMS.index(match[2])}.{match[3]}"] = value
    return state


def test_the_classifier_of_videos():
    """The released loss lacks a minus: after its step true classes are less likely; with ours they are more so."""
    data = case_data("untrimmed")
    state = untrimmed_state(data, "param__")
    features, labels = data["features"][None], data["video_labels"].reshape(1, -1)
    lengths = torch.tensor([features.shape[1]])
    for released in (True, False):
        network = EMNetwork(features.shape[-1], 1, labels.shape[1], untrimmed=True).double()
        network.video.load_state_dict(state)
        probability = network.video_probability(features, lengths)
        close(probability[0].detach(), data["prediction"], TOLERANCE)
        loss = video_loss(probability, labels, released)
        close(loss.item(), (1 if released else -1) * data["loss_as_released"].item(), TOLERANCE)
        optimizer = torch.optim.Adam(network.video.parameters(), lr=1e-4)
        loss.backward()
        optimizer.step()
        after = network.video_probability(features, lengths)[0].detach()
        true = labels[0] > 0
        if released:
            for name, value in untrimmed_state(data, "after_step__").items():
                close(network.video.state_dict()[name], value, TOLERANCE)
            close(after, data["prediction_after_step"], TOLERANCE)
            assert (after[true] < data["prediction"][true]).all()
        else:
            assert after[true].sum() > data["prediction"][true].sum()


def detected(name: str, **params) -> tuple[EMMIL, np.ndarray]:
    """The method and its rows [class, first, end, start s, end s, score] on stored network outputs."""
    method = EMMIL(preset="published", **params)
    key = (DETECT[f"{name}__key_rgb"] + DETECT[f"{name}__key_flow"]) / 2
    label = (DETECT[f"{name}__class_rgb"] + DETECT[f"{name}__class_flow"]) / 2
    samples = bare_videos(np.array([len(key)]), label.shape[1])
    scores = {
        "offsets": np.array([0, len(key)]),
        "class_score": label,
        "actionness": key.reshape(-1, 1),
        "probability": DETECT[f"{name}__video_prediction"][None],
    }
    found = method.decode(scores, samples)
    place = np.stack([found.start, found.end], axis=1) / float(samples.snippet_seconds[0])
    return method, np.column_stack([found.label, place, np.round(place * SECONDS, 2), found.score])


@pytest.mark.parametrize("name", VIDEOS)
def test_the_single_cut(name):
    method, rows = detected(name)
    chosen = np.flatnonzero(method.shown(DETECT[f"{name}__video_prediction"][None])[0])
    assert np.array_equal(chosen, DETECT[f"{name}__classes"])
    key = (DETECT[f"{name}__key_rgb"] + DETECT[f"{name}__key_flow"]) / 2
    label = (DETECT[f"{name}__class_rgb"] + DETECT[f"{name}__class_flow"]) / 2
    found = normalized(method.key_weight * key[:, None] + method.label_weight * label)
    close(found, DETECT[f"{name}__normalised_score"], TOLERANCE)
    expected = DETECT[f"{name}__proposals"].reshape(-1, 6)
    assert len(rows) == len(expected)
    order = [np.lexsort(r[:, [1, 0]].T) for r in (rows, expected)]
    close(rows[order[0]][:, [0, 1, 2, 5]], expected[order[1]][:, [0, 1, 2, 5]], TOLERANCE)
    close(rows[order[0]][:, 3:5], expected[order[1]][:, 3:5], 0.0101)  # written to a hundredth of a second


@pytest.mark.parametrize("name", VIDEOS)
def test_runs_at_a_videos_end_are_kept_unless_asked(name):
    _, released = detected(name)
    _, ours = detected(name, lose_open_runs=False)
    cut = DETECT[f"{name}__classes_with_a_run_cut_at_the_end"].reshape(-1)
    assert len(ours) == len(released) + len(cut)
    assert sorted_rows(ours[:, :4]).shape == (len(ours), 4)


def test_logarithms_are_clamped_as_released():
    saturated = torch.tensor([[[[0.0], [1.0]]]], dtype=torch.float64)
    found = stream_entropy(saturated, torch.ones(1, 1, 1, dtype=torch.float64), torch.tensor([1]), torch.ones(1))
    assert float(found) == float(F.binary_cross_entropy(torch.zeros(1), torch.ones(1))) == 100.0
