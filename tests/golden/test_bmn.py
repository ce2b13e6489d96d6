"""The boundary-matching network against the reference: sampling, forward pass, targets, losses, candidates."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from methods.networks.bmn.losses import (
    Draws,
    MapTargets,
    balanced_cross_entropy,
    boundary_loss,
    community_losses,
    opentad_losses,
    sampling_weights,
    tiou_regression,
)
from methods.networks.bmn.model import BMN, BMNConfig, BoundaryMap
from methods.networks.bmn.proposals import Maps, community_proposals, opentad_proposals
from methods.networks.bmn.sampling import build_sampling, valid_cells
from methods.networks.bmn.targets import boundary_targets, proposal_extents, proposal_targets
from tests.golden import close, golden

Arrays = dict[str, np.ndarray]
PUBLISHED = {
    "x_1d_b": "base",
    "x_1d_s": "starts",
    "x_1d_e": "ends",
    "x_1d_p": "proposal",
    "x_3d_p.0": "sampled",
    "x_2d_p.0": "reduce",
    "x_2d_p.2": "near",
    "x_2d_p.4": "far",
    "x_2d_p.6": "confidence",
}


def test_sampling_weights() -> None:
    masks = golden("bmn_mask.npz")
    assert masks
    for name, mask in masks.items():
        layout = "start-end" if name.startswith("jb") else "duration-start"
        length, samples, longest, _ = mask.shape
        per_sample = int(re.search(r"perbin(\d+)", name)[1])  # type: ignore[index]
        extension = float(re.search(r"ratio([\d.]+)", name)[1])  # type: ignore[index]
        table = build_sampling(layout, length, longest, samples, per_sample, extension)  # type: ignore[arg-type]
        dense = np.zeros(mask.shape)
        for row, (first, second) in enumerate(table.cells):
            span = slice(table.row_starts[row], table.row_starts[row + 1])
            time, sample = np.divmod(table.columns[span], samples)
            dense[time, sample, first, second] = table.weights[span]
        close(dense, mask, 1e-6)


def network_of(arrays: Arrays, dtype: torch.dtype) -> BMN:
    length, inputs, hidden, map_hidden, sampled, samples, per_sample = map(int, arrays["config_T_C_h1_h2_h3_N_perbin"])
    network = BMN(
        BMNConfig(
            input_dim=inputs,
            length=length,
            longest=length,
            hidden=hidden,
            proposal=hidden,
            sampled=sampled,
            map_hidden=map_hidden,
            samples=samples,
            per_sample=per_sample,
        )
    )
    weights = {}
    for name, value in arrays.items():
        if name.startswith("w/"):
            theirs = next(prefix for prefix in PUBLISHED if name[2:].startswith(prefix))
            weights[PUBLISHED[theirs] + name[2 + len(theirs) :]] = torch.from_numpy(value)
    network.load_state_dict(weights)
    return network.to(dtype)


@pytest.mark.parametrize(
    ("precision", "dtype", "tolerance"), [("f32", torch.float32, 1e-5), ("f64", torch.float64, 1e-9)]
)
@pytest.mark.parametrize("height", [3, 25])
def test_forward(precision: str, dtype: torch.dtype, tolerance: float, height: int) -> None:
    arrays = golden("bmn_forward.npz")
    network = network_of(arrays, dtype)
    network.strip_height = height
    features = torch.from_numpy(arrays["in/feats_B_C_T"]).to(dtype).transpose(1, 2)
    with torch.no_grad():
        found = network(features)
    close(found.start, arrays[f"{precision}/start"], tolerance)
    close(found.end, arrays[f"{precision}/end"], tolerance)
    valid = network.valid.numpy()
    expected = arrays[f"{precision}/conf_map_B_2_start_end"]
    close(found.regression.numpy()[:, valid], expected[:, 0][:, valid], tolerance)
    close(found.classification.numpy()[:, valid], expected[:, 1][:, valid], tolerance)
    assert not found.regression.numpy()[:, ~valid].any()


def test_sampling_before_convolution() -> None:
    """The exchange: the reference's sampled tensor, convolved afterwards, equals ours."""
    arrays = golden("bmn_forward.npz")
    network = network_of(arrays, torch.float64)
    sampled = torch.from_numpy(arrays["f64/bm_layer_B_C_N_start_end"])
    with torch.no_grad():
        expected = network.sampled(sampled).squeeze(2)[:, :, network.valid].transpose(1, 2)
        close(network._sample(torch.from_numpy(arrays["f64/pem_1d"])), expected, 1e-9)


def test_published_size() -> None:
    expected = golden("bmn_info.json")["jb_full_trainable_params"]
    assert sum(p.numel() for p in BMN(BMNConfig()).parameters()) == expected


def test_community_targets() -> None:
    arrays = golden("bmn_losses.npz")
    starts, ends, maps = (arrays[f"jb_targets/{k}"] for k in ("start_B_T", "end_B_T", "iou_map_B_start_end"))
    length = starts.shape[1]
    cells, _ = valid_cells("start-end", length, length)
    for video in range(len(starts)):
        frames, seconds, covered = arrays[f"jb_targets/video{video}_duration_frame_second_featureframe"]
        duration = seconds * covered / frames  # features end at the last whole snippet
        segments = np.clip(arrays[f"jb_targets/video{video}_segments_sec"] / duration, 0, 1) * length
        close(boundary_targets(segments[:, 0], length), starts[video], 1e-5)
        close(boundary_targets(segments[:, 1], length), ends[video], 1e-5)
        found = np.zeros((length, length))
        found[cells[:, 0], cells[:, 1]] = proposal_targets(segments, proposal_extents(cells))
        close(found, maps[video], 1e-5)


def cases(arrays: Arrays, prefix: str) -> list[str]:
    names = {key.split("/")[0] for key in arrays if key.startswith(prefix)}
    return sorted(names - {"jb_targets"})


def tensors(arrays: Arrays, case: str, *names: str) -> list[torch.Tensor]:
    return [torch.from_numpy(arrays[f"{case}/{name}"]) for name in names]


def test_community_losses() -> None:
    arrays = golden("bmn_losses.npz")
    valid = torch.from_numpy(arrays["jb/bm_mask"]) > 0
    found_cases = cases(arrays, "jb_")
    assert found_cases
    for case in found_cases:
        conf, start, end = (
            t.requires_grad_() for t in tensors(arrays, case, "pred_conf_B_2_start_end", "pred_start", "pred_end")
        )
        found = BoundaryMap(start, end, conf[:, 0], conf[:, 1])
        targets = MapTargets(*tensors(arrays, case, "gt_start", "gt_end", "gt_iou"))
        draws = Draws(*tensors(arrays, case, "rand_mid", "rand_low"))
        losses = community_losses(found, targets, valid, draws)
        expected = [arrays[f"{case}/loss_{part}"] for part in ("tem", "pem_reg", "pem_cls")]
        actual = [losses["boundary"].item(), losses["regression"].item() / 10, losses["classification"].item()]
        for value, reference in zip(actual, expected, strict=True):
            # where the reference divides by zero ours is a number
            assert np.isfinite(value)
            if np.isfinite(reference):
                close(value, reference, 1e-5)
        total = sum(losses.values(), torch.zeros(()))
        total.backward()
        assert all(bool(t.grad.isfinite().all()) for t in (conf, start, end))  # type: ignore[union-attr]
        if np.isfinite(arrays[f"{case}/loss_total"]):
            close(total.item(), arrays[f"{case}/loss_total"], 1e-5)
            for name, leaf in (("conf", conf), ("start", start), ("end", end)):
                close(leaf.grad, arrays[f"{case}/grad_{name}"], 1e-5)


def test_opentad_losses() -> None:
    arrays = golden("bmn_losses.npz")
    found_cases = cases(arrays, "opentad_")
    assert found_cases
    for case in found_cases:
        valid = torch.from_numpy(arrays[f"{case}/valid_mask_dur_start"]) > 0
        boundary = torch.from_numpy(arrays[f"{case}/tem_logits_B_2_T"]).sigmoid()
        maps = torch.from_numpy(arrays[f"{case}/pem_logits_B_2_dur_start"]).sigmoid()
        cells = np.argwhere(valid.numpy())
        extents = proposal_extents(cells, "opentad")
        close(extents, arrays[f"{case}/proposal_map_dur_start_2"][valid.numpy()], 0)
        tiou = torch.zeros(len(boundary), *valid.shape)
        starts, ends = [], []
        for video in range(len(boundary)):
            segments = arrays[f"{case}/segments_grid_{video}"]
            starts.append(boundary_targets(segments[:, 0], boundary.shape[2], "opentad"))
            ends.append(boundary_targets(segments[:, 1], boundary.shape[2], "opentad"))
            tiou[video][valid] = torch.from_numpy(proposal_targets(segments, extents)).float()
        close(starts, arrays[f"{case}/tem_target_start"], 0)
        close(ends, arrays[f"{case}/tem_target_end"], 0)
        close(tiou[:, valid], arrays[f"{case}/iou_target_B_valid"], 1e-6)
        targets = MapTargets(torch.tensor(np.array(starts)), torch.tensor(np.array(ends)), tiou)
        draws = Draws(*tensors(arrays, case, "rand_mid_B_valid", "rand_low_B_valid"))
        found = BoundaryMap(boundary[:, 0], boundary[:, 1], maps[:, 1], maps[:, 0])
        losses = opentad_losses(found, targets, valid.flatten().nonzero()[:, 0], draws)
        close(losses["boundary"], arrays[f"{case}/loss_tem"], 1e-5)
        close(losses["classification"], arrays[f"{case}/loss_cls"], 1e-5)
        close(losses["regression"], arrays[f"{case}/loss_reg_times5"], 1e-5)


def test_empty_batch_has_finite_losses() -> None:
    """A background batch: no boundary, no cell of any overlap."""
    zeros = torch.zeros(2, 5)
    draw = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0))
    probability = torch.full((2, 5, 5), 0.5, requires_grad=True)
    weights = sampling_weights(torch.zeros(2, 5, 5), Draws(draw, draw))
    assert tiou_regression(probability, torch.zeros(2, 5, 5), weights).item() == 0
    found = BoundaryMap(zeros + 0.5, zeros + 0.5, probability, probability)
    targets = MapTargets(zeros, zeros, torch.zeros(2, 5, 5))
    # only negatives: each entry weighs one half
    half = balanced_cross_entropy(zeros + 0.5, zeros, 0.5).item()
    assert half == pytest.approx(-0.5 * np.log(0.5), rel=1e-4)
    assert boundary_loss(found, targets).item() == pytest.approx(2 * half)
    assert boundary_loss(found, targets, "opentad").item() == pytest.approx(-2 * np.log(0.5))


def maps_of(regression: np.ndarray, classification: np.ndarray, start: np.ndarray, end: np.ndarray) -> Maps:
    return Maps(*(np.asarray(x, dtype=np.float64) for x in (start, end, regression, classification)))


def test_community_candidates() -> None:
    arrays = golden("bmn_proposals.npz")
    video = 0
    while f"jb/video{video}/start" in arrays:
        prefix = f"jb/video{video}/"
        conf = arrays[prefix + "conf_map_2_start_end"]
        length = conf.shape[1]
        found = community_proposals(maps_of(conf[0], conf[1], arrays[prefix + "start"], arrays[prefix + "end"]))
        expected = np.stack([arrays[prefix + "raw_xmin"], arrays[prefix + "raw_xmax"]], axis=1)
        order, theirs = np.lexsort(found.segments.T), np.lexsort(expected.T)
        close(found.segments[order] / length, expected[theirs], 1e-6)
        close(found.scores[order], arrays[prefix + "raw_score"][theirs], 1e-6)
        video += 1
    assert video


def test_opentad_candidates() -> None:
    arrays, info = golden("bmn_proposals.npz"), golden("bmn_info.json")
    boundary = 1 / (1 + np.exp(-arrays["opentad/tem_logits_B_2_T"].astype(np.float64)))
    maps = 1 / (1 + np.exp(-arrays["opentad/iou_logits_B_2_dur_start"].astype(np.float64)))
    for setting, config in info["nms_configs"].items():
        for video in range(len(boundary)):
            prefix = f"opentad/{setting}/video{video}/"
            found = opentad_proposals(maps_of(maps[video, 0], maps[video, 1], *boundary[video]), config["score"])
            expected = arrays[prefix + "candidates"] * (info["opentad_T"] if config.get("normalised_by_T") else 1)
            order, theirs = np.lexsort(found.segments.T), np.lexsort(np.round(expected, 3).T)
            close(found.segments[order], expected[theirs], 1e-5)
            close(found.scores[order], arrays[prefix + "candidate_scores"][theirs], 1e-6)
