"""ROLE, EPR, EM and EM+APL against their released code: losses, gradients, training steps, rounds of pseudo-labels."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from methods.networks.mlp import FeatureMLP
from methods.recognition.em_apl import AsymmetricPseudoLabels
from methods.recognition.epr import ExpectedPositives
from methods.recognition.parts import losses
from methods.recognition.role import OnlineEstimation, WithEstimates, inverse_sigmoid
from suite.method import Run
from suite.tasks.recognition.single_positive import one_hot
from tests.golden import close, golden

COLE = golden("rival_role_epr.npz")
SETTINGS = golden("rival_role_epr__defaults.json")
APL = golden("rival_em_apl.npz")
APL_SETTINGS = golden("rival_em_apl__defaults.json")
OFFSETS = {"": SETTINGS["losses.py"]["LOG_EPSILON"], "noeps_": 0.0}
TYPES = [(torch.float64, 1e-9), (torch.float32, 1e-5)]


def cole_loss(name: str, case: str, logits: torch.Tensor, estimates: torch.Tensor, offset: float) -> torch.Tensor:
    target = torch.from_numpy(COLE[f"{case}__target"]).to(logits.dtype)
    k, classes = float(COLE[f"{case}__expected_positives"]), logits.shape[1]
    smoothing = SETTINGS["train.py"]["ls_coef"]
    return {
        "an": lambda: losses.assume_negative(logits, target, "paper", offset),
        "an_ls": lambda: losses.plain_label_smoothing(logits, target, smoothing, "paper", offset),
        "wan": lambda: losses.weak_assume_negative(logits, target, 1 / max(classes - 1, 1), "paper", offset),
        "epr": lambda: losses.expected_positive_regularization(logits, target, k, offset),
        "role": lambda: losses.joint_estimation(logits, estimates, target, k, offset),
    }[name]()


@pytest.mark.parametrize(("dtype", "tolerance"), TYPES)
@pytest.mark.parametrize("key", sorted(key.removesuffix("__loss") for key in COLE if key.endswith("__loss")))
def test_loss_and_gradients(key: str, dtype: torch.dtype, tolerance: float) -> None:
    case, reading, name = re.fullmatch(r"(.+)__(noeps_)?(.+)", key).groups(default="")
    logits, estimates = (
        torch.from_numpy(COLE[f"{case}__{part}"]).to(dtype).requires_grad_() for part in ("logits", "estimate_logits")
    )
    loss = cole_loss(name, case, logits, estimates, OFFSETS[reading])
    loss.backward()
    close(loss.detach().numpy(), COLE[f"{key}__loss"], tolerance)
    close(logits.grad.numpy(), COLE[f"{key}__grad"], tolerance)
    if name == "role":
        close(estimates.grad.numpy(), COLE[f"{key}__grad_estimates"], tolerance)


@pytest.mark.parametrize("case", sorted(key.split("__")[0] for key in COLE if key.endswith("__loss_before_step")))
def test_training_steps(case: str) -> None:
    """A linear classifier and, for ROLE, estimates of every clip: Adam moves those outside the batch, too."""
    values = {key.removeprefix(f"{case}__"): COLE[key] for key in COLE if key.startswith(f"{case}__")}
    kind = OnlineEstimation if "role" in case else ExpectedPositives
    method = kind(layers=0, log_offset=OFFSETS["noeps_" if case.endswith("noeps") else ""])
    method.mean_labels = float(values["expected_positives"])
    network = _linear(values, kind)
    run = _run(values, network)
    rate = float(values["lr"])
    groups = [
        {"params": g["params"], "lr": rate * g.get("lr_scale", 1.0)} for g in method.parameter_groups(run.network)
    ]
    if kind is OnlineEstimation:
        assert groups[1]["lr"] == pytest.approx(rate * float(values["lr_mult"]))
    optimizer = torch.optim.Adam(groups)
    for step, batch in enumerate(values["batches"]):
        loss = method.loss(run.network, {"index": torch.from_numpy(batch)}, run)["loss"]
        close(loss.detach().numpy(), values["loss_before_step"][step], 1e-9)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if f"param{step + 1}__weight" in values:
            _same_parameters(network, values, step + 1)


def _linear(values: dict[str, np.ndarray], kind: type[ExpectedPositives]) -> torch.nn.Module:
    classes, channels = values["param0__weight"].shape
    classifier = FeatureMLP(channels, classes, layers=0).double()
    classifier.classifier.load_state_dict({n: torch.tensor(values[f"param0__{n}"]) for n in ("weight", "bias")})
    if kind is ExpectedPositives:
        return classifier
    network = WithEstimates(classifier, one_hot(values["label"], classes), 0.6, 0.995).double()
    network.estimates.data.copy_(torch.tensor(values["estimates0"]))
    return network


def _run(values: dict[str, np.ndarray], network: torch.nn.Module) -> Run:
    train = SimpleNamespace(features=values["features"], label=values["label"], target=None, known=None)
    run = Run(SimpleNamespace(train=train), network, 0, torch.device("cpu"), lambda *_: None, lambda _, make: make())
    run.residents["features"] = _Double(torch.from_numpy(values["features"]))
    return run


class _Double:
    """Features that stay in double precision where the method asks for single precision."""

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values

    def __getitem__(self, index: Any) -> Any:
        return SimpleNamespace(float=lambda: self.values[index])


def _same_parameters(network: torch.nn.Module, values: dict[str, np.ndarray], step: int) -> None:
    found = dict(network.named_parameters())
    for name, value in found.items():
        key = f"estimates{step}" if name == "estimates" else f"param{step}__{name.split('.')[-1]}"
        close(value.detach().numpy(), values[key], 1e-9)


def test_estimates_start_and_are_handed_over_as_released() -> None:
    probability = torch.from_numpy(COLE["reinit__probabilities"])
    close(inverse_sigmoid(probability).numpy(), COLE["reinit__logits"], 1e-5)
    declared = SETTINGS["models.py"]["estimates_observed_positive"]
    network = WithEstimates(torch.nn.Identity(), one_hot(np.zeros(400, dtype=np.int64), 5), 0.6, declared)
    close(network.estimates[:, 0].detach().unique().numpy(), COLE["init__observed_logit"], 1e-5)
    bound = float(COLE["init__unobserved_bound"])
    free = network.estimates[:, 1:].detach().abs().max().item()
    assert 0.95 * bound < free <= bound + 1e-6


@pytest.mark.parametrize(("dtype", "tolerance"), TYPES)
@pytest.mark.parametrize("key", sorted(key.removesuffix("__loss") for key in APL if key.endswith("__loss")))
def test_entropy_and_soft_negatives(key: str, dtype: torch.dtype, tolerance: float) -> None:
    case, reading, name = re.fullmatch(r"(.+)__(noeps_)?(.+)", key).groups(default="")
    logits = torch.from_numpy(APL[f"{case}__logits"]).to(dtype).requires_grad_()
    observed = torch.from_numpy(APL[f"{case}__observed"]).to(dtype)
    alpha, beta = float(APL[f"{case}__alpha"]), float(APL[f"{case}__beta"])
    target, offset = (observed == 1).to(dtype), OFFSETS[reading]
    if name == "EM":
        loss = losses.entropy_maximization(logits, target, alpha, "paper", offset)
    else:
        loss = losses.entropy_with_soft_negatives(logits, target, -observed, observed < 0, alpha, beta, offset)
    loss.backward()
    close(loss.detach().numpy(), APL[f"{key}__loss"], tolerance)
    close(logits.grad.numpy(), APL[f"{key}__grad"], tolerance)


@pytest.mark.parametrize("case", sorted(key.removesuffix("__share") for key in APL if key.endswith("__share")))
def test_rounds_of_soft_negatives(case: str) -> None:
    label, warmup, epochs = (APL[f"{case}__{name}"] for name in ("label", "warmup", "epochs"))
    method = AsymmetricPseudoLabels(
        preset="published", share=float(APL[f"{case}__share"]), warmup=int(warmup), spread=int(epochs - warmup)
    )
    if not case.endswith("quirk"):
        method.single_batch_quirk = False
    else:
        method.batch = len(label)
    owner = torch.from_numpy(label)
    rounds = sorted(int(m[1]) for m in (re.fullmatch(rf"{case}__round(\d+)__logits", key) for key in APL) if m)
    stored = torch.full(APL[f"{case}__round0__logits"].shape, -1.0, dtype=torch.float64)
    annotated = torch.from_numpy(one_hot(label, stored.shape[1]))
    for number in rounds:
        if method.chooses_before(int(warmup), len(label)):
            probability = torch.from_numpy(APL[f"{case}__round{number}__logits"]).sigmoid()
            stored = method.choose(probability, stored, annotated)
        expected = torch.from_numpy(APL[f"{case}__round{number}__observed_after"])
        found = torch.where(stored >= 0, -stored, 0.0)
        found[torch.arange(len(owner)), owner] = 1
        close(found.numpy(), expected.numpy(), 1e-9)
        np.testing.assert_array_equal((stored >= 0).sum(dim=0).numpy(), APL[f"{case}__round{number}__new_per_class"])


def test_constants_of_the_published_presets() -> None:
    voc, published = APL_SETTINGS["main.py"]["pascal"], AsymmetricPseudoLabels(preset="published")
    names = {"batch": "batch", "lr": "lr", "alpha": "alpha", "beta": "beta", "share": "neg_proportion"}
    assert {ours: getattr(published, ours) for ours in names} == {ours: voc[theirs] for ours, theirs in names.items()}
    assert (published.warmup, published.epochs) == (voc["warmup_epoch"], APL_SETTINGS["main.py"]["num_epochs"])
    assert published.own_threshold(5) == float(
        re.match(r"[\d.]+", APL_SETTINGS["main.py"]["threshold for F1/IoU metrics"])[0]
    )
    cole, role = SETTINGS["train.py"], OnlineEstimation(preset="published")
    assert role.epochs == cole["epochs"]["linear_fixed_features"]
    assert (role.lr, role.batch) == (cole["linear_init_role"]["lr"], cole["linear_init_role"]["batch"]["pascal"])
    assert role.estimate_rate == cole["lr_mult of label estimates"]
