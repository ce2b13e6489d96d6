"""BMN trained by the suite's own optimizer, schedule and clipping follows the released trajectories."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from methods.networks.bmn.losses import Draws, MapTargets, community_losses, opentad_losses
from methods.networks.bmn.model import BoundaryMap
from methods.networks.bmn.proposals import (
    Maps,
    boundary_candidates,
    inner_candidates,
    opentad_proposals,
)
from methods.networks.bmn.sampling import valid_cells
from methods.networks.bmn.targets import boundary_targets, proposal_extents, proposal_targets
from methods.semi_localization.bmn import LabelledBMN
from suite.method import Phase
from suite.train.optimizers import make_optimizer, set_rate
from tests.golden import close, golden
from tests.golden.test_bmn import PUBLISHED

Arrays = dict[str, np.ndarray]
OPENTAD = {
    "projection.convs.0.conv": "base.0",
    "projection.convs.1.conv": "base.2",
    "rpn_head.tem.0.0.conv": "starts.0",
    "rpn_head.tem.0.1.conv": "starts.2",
    "rpn_head.tem.1.0.conv": "ends.0",
    "rpn_head.tem.1.1.conv": "ends.2",
    "roi_head.proposal_roi_extractor.reduce_dim.0": "proposal.0",
    "roi_head.proposal_roi_extractor.conv3d.0": "sampled",
    "roi_head.proposal_roi_extractor.conv2d.0": "reduce",
    "roi_head.proposal_head.head.0.0": "near",
    "roi_head.proposal_head.head.1.0": "far",
    "roi_head.proposal_head.head.2": "confidence",
}


def ours(theirs: str, names: dict[str, str]) -> str:
    """Our name of a parameter of a reference."""
    prefix = next(prefix for prefix in names if theirs.startswith(prefix))
    return f"bmn.{names[prefix]}{theirs[len(prefix) :]}"


def theirs_in_our_order(values: np.ndarray, theirs: str, names: dict[str, str]) -> np.ndarray:
    """OpenTAD's map has the classification first; ours, as the community's, the regression."""
    return values[::-1].copy() if names is OPENTAD and "proposal_head.head.2" in theirs else values


def load(network: nn.Module, arrays: Arrays, prefix: str, names: dict[str, str]) -> None:
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for key, value in arrays.items():
            if key.startswith(prefix):
                theirs = key.removeprefix(prefix)
                parameter = parameters[ours(theirs, names)]
                parameter.copy_(torch.from_numpy(theirs_in_our_order(value, theirs, names)).reshape(parameter.shape))


def same_parameters(network: nn.Module, arrays: Arrays, prefix: str, names: dict[str, str], tolerance: float) -> None:
    parameters = dict(network.named_parameters())
    keys = [key for key in arrays if key.startswith(prefix)]
    assert keys
    for key in keys:
        theirs = key.removeprefix(prefix)
        found = parameters[ours(theirs, names)].detach().numpy()
        expected = theirs_in_our_order(arrays[key], theirs, names)
        close(found, expected.reshape(found.shape), tolerance)


def checksums(network: nn.Module, order: np.ndarray, names: dict[str, str]) -> np.ndarray:
    parameters = dict(network.named_parameters())
    values = [parameters[ours(str(name), names)].detach().numpy() for name in order]
    return np.array([[v.sum(), np.abs(v).sum(), np.square(v).sum()] for v in values])


class Training:
    """A method on a network of the file's sizes, stepped as the loop steps."""

    def __init__(self, channels: int, steps: int, steps_per_epoch: int, **params: Any) -> None:
        method = LabelledBMN(class_agnostic=True, steps=steps, semi_steps=1, evaluate_steps=steps_per_epoch, **params)
        data = SimpleNamespace(train=SimpleNamespace(rows=np.zeros((1, channels))), classes=range(1))
        self.method = method
        self.network = method.network(data).double()  # type: ignore[arg-type]
        optimizer = method.optimizer
        self.phase = Phase(
            steps=steps,
            optimizer=method.optimizer_settings(),
            schedule=method.rates(steps),
            clip_norm=method.clip or None,
        )
        assert optimizer == self.phase.optimizer.name
        self.optimizer = make_optimizer(method, self.network, self.phase.optimizer)
        self.taken, self.steps_per_epoch = 0, steps_per_epoch

    def forward(self, features: np.ndarray) -> BoundaryMap:
        found: BoundaryMap = self.network(torch.from_numpy(features).transpose(1, 2))[0]
        return found

    def step(self, loss: torch.Tensor) -> tuple[float, list[float]]:
        """Gradient norm before clipping, and the rates of the groups."""
        set_rate(self.optimizer, self.phase, self.taken, self.steps_per_epoch)
        rates = [group["lr"] for group in self.optimizer.param_groups]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.phase.clip_norm or float("inf"))
        self.optimizer.step()
        self.taken += 1
        return norm.item(), rates


def counted(arrays: Arrays, case: str) -> int:
    return sum(1 for key in arrays if key.startswith(f"{case}__step") and key.endswith("__features"))


def tensors(arrays: Arrays, prefix: str, *names: str) -> list[torch.Tensor]:
    return [torch.from_numpy(arrays[f"{prefix}{name}"]) for name in names]


def cases(arrays: Arrays, mark: str) -> list[str]:
    found = sorted({key.split("__")[0] for key in arrays if mark in key})
    assert found
    return found


def test_community_trajectory() -> None:
    arrays, tolerance = golden("bmn_training_jjboy.npz"), 1e-9
    for case in cases(arrays, "__config_T_F_h1_h2_h3_N_perbin"):
        length, channels, hidden, map_hidden, sampled, samples, per_sample = map(
            int, arrays[f"{case}__config_T_F_h1_h2_h3_N_perbin"]
        )
        rate, decay = arrays[f"{case}__lr_wd"].tolist()
        steps = counted(arrays, case)
        training = Training(
            channels, steps, steps, code="community", length=length, hidden=hidden, proposal=hidden, sampled=sampled,
            map_hidden=map_hidden, samples=samples, per_sample=per_sample, optimizer="adam", schedule="step", lr=rate,
            weight_decay=decay, clip=0.0,
        )  # fmt: skip
        load(training.network, arrays, f"{case}__param0__", PUBLISHED)
        valid = torch.ones(length, length).triu() > 0
        for step in range(steps):
            at = f"{case}__step{step}__"
            found = training.forward(arrays[at + "features"])
            targets = MapTargets(*tensors(arrays, at, "start", "end", "iou_map"))
            losses = community_losses(found, targets, valid, Draws(*tensors(arrays, at, "rand_mid", "rand_low")))
            total = sum(losses.values(), torch.zeros(()))
            parts = [losses["boundary"], losses["regression"] / 10, losses["classification"]]
            close(
                [total.item(), *(part.item() for part in parts)],
                arrays[f"{case}__losses_total_tem_reg_cls"][step],
                tolerance,
            )
            norm, rates = training.step(total)
            close(norm, arrays[f"{case}__grad_norm"][step], tolerance)
            assert set(rates) == {rate}
            expected = arrays[f"{case}__checksums_step_param_sum_abs_square"][step]
            close(checksums(training.network, arrays[f"{case}__parameter_order"], PUBLISHED), expected, tolerance)
            if any(key.startswith(f"{case}__param{step + 1}__") for key in arrays):
                same_parameters(training.network, arrays, f"{case}__param{step + 1}__", PUBLISHED, tolerance)


def opentad_training(arrays: Arrays, case: str) -> Training:
    length, longest, channels, hidden, sampled, map_hidden, inner, samples, per_sample = (
        int(n) for n in arrays[f"{case}__config_T_D_F_hidden_roi_out_feat_N_perbin"]
    )
    assert inner == map_hidden  # as in every released configuration
    proposal = len(arrays[f"{case}__param0__roi_head.proposal_roi_extractor.reduce_dim.0.bias"])
    rate, decay, clip, gamma = arrays[f"{case}__lr_wd_clip_gamma"].tolist()
    base, *others = arrays[f"{case}__weight_decay_of_groups"].tolist()
    assert set(others) == {decay}
    (milestone,) = arrays[f"{case}__milestone_epochs"].tolist()
    steps, per_epoch = counted(arrays, case), int(arrays[f"{case}__steps_per_epoch"])
    return Training(
        channels, steps, per_epoch, code="opentad", length=length, longest=longest, hidden=hidden, proposal=proposal,
        sampled=sampled, map_hidden=map_hidden, samples=samples, per_sample=per_sample, optimizer="adam",
        schedule="step", fall_after=min(1.0, milestone * per_epoch / steps), fall=gamma, lr=rate, weight_decay=decay,
        base_decay=base / decay, clip=clip,
    )  # fmt: skip


def opentad_targets(segments: np.ndarray, videos: int, valid: torch.Tensor) -> MapTargets:
    """Targets of a batch from rows (window, start, end) in grid units."""
    length = valid.shape[1]
    cells = np.argwhere(valid.numpy())
    tiou = torch.zeros(videos, *valid.shape, dtype=torch.float64)
    starts, ends = np.zeros((videos, length)), np.zeros((videos, length))
    for video in range(videos):
        own = segments[segments[:, 0] == video, 1:]
        starts[video] = boundary_targets(own[:, 0], length, "opentad")
        ends[video] = boundary_targets(own[:, 1], length, "opentad")
        tiou[video][valid] = torch.from_numpy(proposal_targets(own, proposal_extents(cells, "opentad")))
    return MapTargets(torch.from_numpy(starts), torch.from_numpy(ends), tiou)


def test_opentad_trajectory() -> None:
    arrays, tolerance = golden("bmn_training_opentad.npz"), 1e-8
    for case in cases(arrays, "__config_T_D_F"):
        training = opentad_training(arrays, case)
        load(training.network, arrays, f"{case}__param0__", OPENTAD)
        valid = training.network.get_submodule("bmn").valid  # type: ignore[union-attr]
        assert isinstance(valid, torch.Tensor)
        cells = valid.flatten().nonzero()[:, 0]
        for step in range(counted(arrays, case)):
            at = f"{case}__step{step}__"
            features = arrays[at + "features"]
            targets = opentad_targets(arrays[at + "segments_window_start_end"], len(features), valid)
            nothing = torch.zeros(len(features), int(valid.sum()))
            draws = [
                torch.from_numpy(arrays[at + n]) if at + n in arrays else nothing for n in ("rand_mid", "rand_low")
            ]
            losses = opentad_losses(training.forward(features), targets, cells, Draws(*draws))
            total = sum(losses.values(), torch.zeros(()))
            values = [total, losses["boundary"], losses["classification"], losses["regression"]]
            close([v.item() for v in values], arrays[f"{case}__losses_cost_tem_cls_reg"][step], tolerance)
            norm, rates = training.step(total)
            close(norm, arrays[f"{case}__grad_norm_before_clip"][step], tolerance)
            close(rates, [arrays[f"{case}__lr_used"][step]] * len(rates), 1e-12)
            expected = arrays[f"{case}__checksums_step_param_sum_abs_square"][step]
            close(checksums(training.network, arrays[f"{case}__parameter_order"], OPENTAD), expected, tolerance)
            if any(key.startswith(f"{case}__param{step + 1}__") for key in arrays):
                same_parameters(training.network, arrays, f"{case}__param{step + 1}__", OPENTAD, tolerance)
        with torch.no_grad():
            found = training.forward(arrays[f"{case}__eval__features"])
        boundary = 1 / (1 + np.exp(-arrays[f"{case}__eval__boundary_logits"]))
        close(torch.stack([found.start, found.end], 1), boundary, tolerance)
        maps = 1 / (1 + np.exp(-arrays[f"{case}__eval__map_logits_cls_reg"]))
        close(
            torch.stack([found.classification, found.regression], 1)[:, :, valid], maps[:, :, valid.numpy()], tolerance
        )


def test_cells_that_may_be_boundaries() -> None:
    arrays = golden("bmn_training_opentad.npz")
    for case in cases(arrays, "boundary_"):
        if f"{case}__curve" not in arrays:
            continue
        curve = arrays[f"{case}__curve"]
        chosen, inner = boundary_candidates(curve), inner_candidates(curve)
        first, last = np.arange(len(curve)) == 0, np.arange(len(curve)) == len(curve) - 1
        for name, found in (
            ("opentad_chosen", chosen),
            ("opentad_start", chosen | first),
            ("opentad_end", chosen | last),
            ("sstap_start", inner | first),
            ("sstap_end", inner | last),
        ):
            assert found.astype(int).tolist() == arrays[f"{case}__{name}"].tolist(), (case, name)


def test_complete_candidate_lists() -> None:
    arrays = golden("bmn_training_opentad.npz")
    for case in cases(arrays, "candidates_"):
        boundary = 1 / (1 + np.exp(-arrays[f"{case}__boundary_logits"]))
        classification, regression = 1 / (1 + np.exp(-arrays[f"{case}__map_logits_cls_reg"]))
        for score, name in (("iou", "iou"), ("iou*s*e", "iou_s_e")):
            found = opentad_proposals(Maps(*boundary, regression, classification), score)  # type: ignore[arg-type]
            expected = arrays[f"{case}__{name}__segments"].astype(np.float64)
            order, theirs = np.lexsort(found.segments.T), np.lexsort(expected.T)
            close(found.segments[order], expected[theirs], 1e-8)
            close(found.scores[order], arrays[f"{case}__{name}__scores"][theirs], 1e-8)


@pytest.mark.parametrize(("name", "preset"), [("anet_tsn_tsp", "opentad-activitynet"), ("thumos_i3d_tsn", "published")])
def test_released_schedules(name: str, preset: str) -> None:
    arrays = golden("bmn_training_opentad.npz")
    expected = arrays[f"schedule_{name}__lr_used_by_step"]
    per_epoch = int(arrays[f"schedule_{name}__steps_per_epoch"])
    method = LabelledBMN(preset=preset, evaluate_steps=per_epoch)
    assert method.epochs * per_epoch == len(expected)
    phase = Phase(steps=len(expected), optimizer=method.optimizer_settings(), schedule=method.rates(len(expected)))
    found = []
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    for step in range(len(expected)):
        set_rate(optimizer, phase, step, per_epoch)
        found.append(optimizer.param_groups[0]["lr"])
    close(found, expected, 1e-12)


def test_community_schedule() -> None:
    """The rate falls after 7 of 9 epochs, as with the version of torch that the authors name."""
    expected = golden("bmn_training_opentad.npz")["schedule_jjboy__lr_of_epoch_with_torch_before_1_1"]
    method = LabelledBMN(preset="published-activitynet", evaluate_steps=3)
    assert method.epochs == len(expected)
    phase = Phase(
        steps=3 * len(expected), optimizer=method.optimizer_settings(), schedule=method.rates(3 * len(expected))
    )
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    for step in range(phase.steps):
        set_rate(optimizer, phase, step, 3)
        close(optimizer.param_groups[0]["lr"], expected[step // 3], 1e-12)


def test_valid_cells_of_a_short_map() -> None:
    """The golden maps shorter than their sequence use the cells that ``valid_cells`` lists."""
    arrays = golden("bmn_training_opentad.npz")
    for case in cases(arrays, "__config_T_D_F"):
        length, longest = map(int, arrays[f"{case}__config_T_D_F_hidden_roi_out_feat_N_perbin"][:2])
        drawn = [value.shape[1] for key, value in arrays.items() if key.startswith(case) and key.endswith("rand_mid")]
        cells = len(valid_cells("duration-start", length, longest)[0])
        assert all(count == cells for count in drawn)
