"""One released training step of SSTAP, its schedules and its candidates."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from methods.networks.bmn.losses import Draws
from methods.networks.bmn.model import BoundaryMap
from methods.networks.bmn.proposals import Maps, original_proposals
from methods.semi_localization.parts.base import AVERAGES
from methods.semi_localization.parts.proposal_network import ProposalNetwork
from methods.semi_localization.parts.teacher_student import taught
from methods.semi_localization.parts.unlabelled_windows import batch_by_share
from methods.semi_localization.sstap import SSTAP, SelfSupervisedBMN, reverse, sharpen, shift_channels
from suite.method import Average, Phase, Run
from suite.train.averaging import averaged_copy, update_average
from suite.train.optimizers import make_optimizer
from tests.golden import close, golden
from tests.golden.test_bmn import PUBLISHED
from tests.golden.test_bmn_training import tensors

Arrays = dict[str, np.ndarray]
TOLERANCE = 1e-9
NAMES = {
    **{theirs: f"bmn.{ours}" for theirs, ours in PUBLISHED.items()},
    "recons": "rebuild",
    "clip_order_linear": "order.4",
    "clip_order": "order",
}
CONFIG = "__config_T_F_h1_h2_h3_N_perbin_shiftdiv"


def cases() -> list[str]:
    found = sorted(key.removesuffix(CONFIG) for key in golden("rival_sstap.npz") if key.endswith(CONFIG))
    assert found
    return found


def ours(theirs: str) -> str:
    prefix = next(prefix for prefix in NAMES if theirs.startswith(prefix))
    return NAMES[prefix] + theirs[len(prefix) :]


def load(network: nn.Module, arrays: Arrays, prefix: str) -> None:
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for key, value in arrays.items():
            if key.startswith(prefix):
                parameters[ours(key.removeprefix(prefix))].copy_(torch.from_numpy(value))


def same(network: nn.Module, arrays: Arrays, prefix: str, gradients: bool = False) -> None:
    parameters = dict(network.named_parameters())
    keys = [key for key in arrays if key.startswith(prefix)]
    assert keys
    for key in keys:
        parameter = parameters[ours(key.removeprefix(prefix))]
        value = parameter.grad if gradients else parameter.detach()
        close(torch.zeros_like(parameter) if value is None else value, arrays[key], TOLERANCE)


class Step:
    """The method, its student and teacher of one golden case, without dropout, and the batch."""

    def __init__(self, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
        arrays = self.arrays = golden("rival_sstap.npz")
        self.prefix = f"{case}__"
        length, self.channels, hidden, map_hidden, sampled, samples, per_sample, fold = map(int, arrays[case + CONFIG])
        epoch = int(arrays[f"{case}__epoch"])
        self.method = SSTAP(
            preset="published", length=length, longest=length, hidden=hidden, proposal=hidden, sampled=sampled,
            map_hidden=map_hidden, samples=samples, per_sample=per_sample, fold=fold, drop=0.0, teacher_drop=0.0,
        )  # fmt: skip
        data = SimpleNamespace(train=SimpleNamespace(rows=np.zeros((1, self.channels))), classes=range(1))
        self.student = self.method.network(data).double().eval()  # type: ignore[arg-type]
        self.teacher = averaged_copy(self.student)
        load(self.student, arrays, f"{case}__param0__")
        load(self.teacher, arrays, f"{case}__teacher0__")
        self.run: Run = SimpleNamespace(  # type: ignore[assignment]
            data=data, teacher=self.teacher, phase=Phase(steps=7 * self.method.epochs), step=7 * epoch + 3
        )
        draws = Draws(*tensors(arrays, self.prefix, "rand_mid", "rand_low"))
        monkeypatch.setattr(ProposalNetwork, "draws", lambda *_: draws)

    def features(self, group: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[f"{self.prefix}features_{group}"]).transpose(1, 2)

    def batch(self) -> dict[str, dict[str, torch.Tensor]]:
        features = {group: self.features(group) for group in ("labelled", "unlabelled")}
        start, end, tiou = tensors(self.arrays, self.prefix, "start", "end", "iou_map")
        count = sum(map(len, features.values()))
        swapped = np.zeros(count, dtype=bool)
        swapped[self.arrays[self.prefix + "order_permutation"][: count // 2]] = True
        groups = torch.from_numpy(swapped).split([len(f) for f in features.values()])
        found = {
            group: {"features": f, "channels": self.channels_of(group, len(f)), "swapped": s}
            for (group, f), s in zip(features.items(), groups, strict=True)
        }
        found["labelled"] |= {"start": start, "end": end, "tiou": tiou}
        return found

    def channels_of(self, group: str, rows: int) -> torch.Tensor:
        both = [self.arrays[f"{self.prefix}shift_channels_{group}_{way}"] for way in ("forward", "backward")]
        return torch.from_numpy(np.concatenate(both)).expand(rows, -1)


@pytest.mark.parametrize("case", cases())
def test_forward(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Step(case, monkeypatch)
    network, features = step.student, step.features("labelled")
    assert isinstance(network, SelfSupervisedBMN)
    with torch.no_grad():
        found = network(features)[0]
        rebuilt, order = network.rebuild(network.bmn.embed(features)), network.order(network.bmn.embed(features))
    valid = network.bmn.valid
    expected = torch.from_numpy(step.arrays[f"{case}__out__confidence"])
    close(found.regression[:, valid], expected[:, 0][:, valid], TOLERANCE)
    close(found.classification[:, valid], expected[:, 1][:, valid], TOLERANCE)
    for name, value in (("start", found.start), ("end", found.end), ("rebuilt", rebuilt), ("order", order)):
        close(value, step.arrays[f"{case}__out__{name}"], TOLERANCE)


@pytest.mark.parametrize("case", cases())
def test_what_the_teacher_says(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Step(case, monkeypatch)
    labelled = taught(step.teacher, step.student, step.features("labelled"))
    close(labelled.start, step.arrays[f"{case}__teacher__start_teacher"], TOLERANCE)
    close(labelled.end, step.arrays[f"{case}__teacher__end_teacher"], TOLERANCE)
    maps = step.arrays[f"{case}__teacher__confidence_map_teacher"]
    close(torch.stack([labelled.regression, labelled.classification], 1), maps, TOLERANCE)
    flipped = reverse(labelled, "duration-start", swap=False)
    maps = step.arrays[f"{case}__teacher__confidence_map_label_teacher_flip"]
    close(torch.stack([flipped.regression, flipped.classification], 1), maps, TOLERANCE)
    close(flipped.start, step.arrays[f"{case}__teacher__start_label_teacher_flip"], TOLERANCE)
    unlabelled = taught(step.teacher, step.student, step.features("unlabelled"))
    nobody = BoundaryMap(*(part[:0] for part in unlabelled))
    joined = BoundaryMap(*(torch.cat(parts) for parts in zip(nobody, unlabelled, strict=True)))
    trusted = step.method._trusted(joined, 0)
    assert trusted.tolist() == step.arrays[f"{case}__mask_trusted"].tolist()
    close(sharpen(unlabelled.start)[trusted], step.arrays[f"{case}__teacher__start_unlabel_teacher"], TOLERANCE)
    close(sharpen(unlabelled.end)[trusted], step.arrays[f"{case}__teacher__end_unlabel_teacher"], TOLERANCE)


@pytest.mark.parametrize("case", cases())
def test_shifted_channels(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Step(case, monkeypatch)
    features = step.features("labelled")
    forward, backward = step.channels_of("labelled", len(features)).chunk(2, dim=1)
    shifted = shift_channels(features, forward, backward).transpose(1, 2)
    close(shifted, step.arrays[f"{case}__student_input_labelled"], TOLERANCE)


@pytest.mark.parametrize("case", cases())
def test_step(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses, gradients, the optimizer's step and the teacher's, by the released variant."""
    step = Step(case, monkeypatch)
    arrays, method = step.arrays, step.method
    parts = method.loss(step.student, step.batch(), step.run)
    weight = method.weight(step.run)
    close(weight, arrays[f"{case}__consistency_weight"], TOLERANCE)
    supervised = [parts["boundary"], parts["regression"] / 10, parts["classification"]]
    expected = [arrays[f"{case}__supervised_{name}"] for name in ("tem", "pem_reg", "pem_cls")]
    close([part.item() for part in supervised], np.array(expected), TOLERANCE)
    agreement = arrays[f"{case}__consistency_loss"] + arrays[f"{case}__consistency_loss_ema"]
    close(parts["consistency"].item(), agreement, TOLERANCE)
    close(parts["rebuilding"].item(), arrays[f"{case}__loss_recons"], TOLERANCE)
    close(parts["ordering"].item() / method.ordering, arrays[f"{case}__loss_clip_order"], TOLERANCE)
    total = sum(parts.values(), torch.zeros(()))
    if np.isfinite(arrays[f"{case}__loss_all"]):  # without a trusted window the release has 0 / 0 in the reversed term
        close(parts["reversal"].item(), arrays[f"{case}__consistency_loss_ema_flip"], TOLERANCE)
        close(total.item(), arrays[f"{case}__loss_all"], TOLERANCE)
    assert torch.isfinite(total)
    optimizer = make_optimizer(method, step.student, method.optimizer_settings())
    total.backward()
    same(step.student, arrays, f"{case}__grad__", gradients=True)
    optimizer.step()
    same(step.student, arrays, f"{case}__param1__")
    average = AVERAGES[method.ema]
    assert isinstance(average, Average)
    update_average(step.teacher, step.student, average, int(arrays[f"{case}__global_step_before"]) + 1)
    same(step.teacher, arrays, f"{case}__teacher1__")


def test_weights_of_consistency() -> None:
    arrays = golden("rival_sstap.npz")
    method = SSTAP(preset="published")
    phase = Phase(steps=6 * method.epochs)
    for epoch, weight in zip(arrays["weights__epoch"].tolist(), arrays["weights__consistency"].tolist(), strict=True):
        for step in (6 * epoch, 6 * epoch + 5):  # constant within an epoch
            run: Run = SimpleNamespace(phase=phase, step=step)  # type: ignore[assignment]
            close(method.weight(run), weight, TOLERANCE)


def test_decay_of_the_teacher() -> None:
    arrays = golden("rival_sstap.npz")
    average = AVERAGES[SSTAP(preset="published").ema]
    assert isinstance(average, Average)
    for step, decay in zip(arrays["ema__global_step_after"].tolist(), arrays["ema__alpha"].tolist(), strict=True):
        teacher, student = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        nn.init.ones_(teacher.weight)
        nn.init.zeros_(student.weight)
        update_average(teacher.double(), student.double(), average, int(step))
        close(teacher.weight.item(), decay, TOLERANCE)


def test_unlabelled_batches() -> None:
    arrays = golden("rival_sstap.npz")
    columns = (arrays[f"unlabelled_batch__{name}"].tolist() for name in ("labelled_batch", "percent", "size"))
    for labelled, share, size in zip(*columns, strict=True):
        assert batch_by_share(labelled, share) == size


def test_candidates() -> None:
    arrays = golden("rival_sstap.npz")
    names = sorted({key.split("__")[0] for key in arrays if key.startswith("inference")})
    assert names
    for name in names:
        regression, classification = arrays[f"{name}__confidence_reg_cls"]
        found = original_proposals(Maps(arrays[f"{name}__start"], arrays[f"{name}__end"], regression, classification))
        expected = arrays[f"{name}__candidates_xmin_xmax_s_e_cls_reg_score"]
        order, theirs = np.lexsort(found.segments.T), np.lexsort(np.round(expected[:, :2] * len(regression)).T)
        close(found.segments[order] / len(regression), expected[theirs, :2], TOLERANCE)
        close(found.scores[order], expected[theirs, 6], TOLERANCE)
