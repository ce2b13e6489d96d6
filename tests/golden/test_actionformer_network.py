"""ActionFormer against the reference: forward pass, losses, gradients, optimizer steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from methods.networks.actionformer.config import ActionFormerConfig
from methods.networks.actionformer.layers import ScaledDropPath
from methods.networks.actionformer.losses import detector_losses, update_normalizer
from methods.networks.actionformer.model import ActionFormer, Detections
from methods.networks.actionformer.optim import decay_groups
from methods.networks.actionformer.release import RELEASE
from methods.networks.actionformer.targets import Targets, assign_batch
from methods.semi_localization.actionformer import LabelledActionFormer
from suite.weights import take
from tests.golden import close, golden

WINDOWS = ("thumos", "anet")
Arrays = dict[str, np.ndarray]


def config_of(published: dict[str, Any]) -> ActionFormerConfig:
    train = published["train_cfg"]
    embeddings, stem, branches = published["backbone_arch"]
    assert len(published["n_mha_win_size"]) == branches + 1
    config = ActionFormerConfig(
        input_dim=published["input_dim"],
        classes=published["num_classes"],
        embedding=published["embd_dim"],
        heads=published["n_head"],
        windows=tuple(published["n_mha_win_size"]),
        max_length=published["max_seq_len"],
        stem_blocks=stem,
        embedding_convs=embeddings,
        head_layers=published["head_num_layers"],
        position_encoding=published["use_abs_pe"],
        first_range=published["regression_range"][0][1],
        centre_radius=train["center_sample_radius"],
        regression_weight=train["loss_weight"],
        label_smoothing=train["label_smoothing"],
        initial_normalizer=train["init_loss_norm"],
        prior=train["cls_prior_prob"],
    )
    assert [list(pair) for pair in config.regression_ranges] == published["regression_range"]
    return config


def network_of(config: ActionFormerConfig, arrays: Arrays, prefix: str, dtype: torch.dtype) -> ActionFormer:
    network = ActionFormer(config)
    released = {k.removeprefix(prefix): torch.from_numpy(v) for k, v in arrays.items() if k.startswith(prefix)}
    assert not take(network, released, RELEASE).missing
    for module in network.modules():
        if isinstance(module, ScaledDropPath):
            module.drop = 0.0  # the golden values were made without stochastic depth
    return network.to(dtype)


def videos(arrays: Arrays, names: list[str], dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    features = [torch.from_numpy(arrays[name]).T.to(dtype) for name in names]
    return pad_sequence(features, batch_first=True), torch.tensor([len(f) for f in features])


def numbered(arrays: Arrays, prefix: str) -> list[str]:
    names = []
    while f"{prefix}{len(names)}" in arrays:
        names.append(f"{prefix}{len(names)}")
    return names


def expand(flat: np.ndarray, config: ActionFormerConfig, computed: int, full: int) -> np.ndarray:
    """(B, computed points, ...) -> (B, points of the full padding, ...): what was not computed is zero."""
    levels, low = [], 0
    for stride in config.strides:
        level = flat[:, low : low + computed // stride]
        low += computed // stride
        missing = full // stride - level.shape[1]
        levels.append(np.pad(level, [(0, 0), (0, missing)] + [(0, 0)] * (flat.ndim - 2)))
    assert low == flat.shape[1]
    return np.concatenate(levels, axis=1)


def levels_of(arrays: Arrays, name: str, count: int, axis: int = 1) -> np.ndarray:
    return np.concatenate([arrays[f"{name}_l{level}"] for level in range(count)], axis=axis)


@pytest.mark.parametrize("case", ["batch", "eval_short", "eval_long"])
@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize(("precision", "dtype"), [("f32", torch.float32), ("f64", torch.float64)])
def test_forward(name: str, case: str, precision: str, dtype: torch.dtype) -> None:
    arrays = golden(f"actionformer_forward_{name}.npz")
    config = config_of(golden("actionformer_config.json")[name]["config"])
    inputs = {"batch": numbered(arrays, "in/feats_"), "eval_short": ["in/feats_1"], "eval_long": ["in/feats_long"]}[
        case
    ]
    network = network_of(config, arrays, "w/", dtype).train(case == "batch")
    features, lengths = videos(arrays, inputs, dtype)
    with torch.no_grad():
        found = network(features, lengths)
    longest = int(lengths.max())
    computed, full = config.computed_length(longest), config.padded_length(longest)
    tolerance = 2e-5 if precision == "f32" else (2e-7 if config.position_encoding else 1e-10)
    for what, values in (("logits", found.logits), ("offsets", found.offsets)):
        expected = levels_of(arrays, f"{precision}/{case}/{what}", config.levels)
        close(expand(values.numpy(), config, computed, full), expected, tolerance)
    masks = levels_of(arrays, f"{case}/mask", config.levels)
    assert np.array_equal(expand(found.valid.numpy(), config, computed, full), masks)


@pytest.mark.parametrize("name", WINDOWS)
def test_pyramid_features(name: str) -> None:
    arrays = golden(f"actionformer_forward_{name}.npz")
    config = config_of(golden("actionformer_config.json")[name]["config"])
    network = network_of(config, arrays, "w/", torch.float64).train()
    features, lengths = videos(arrays, numbered(arrays, "in/feats_"), torch.float64)
    full = config.max_length
    features = torch.nn.functional.pad(features, (0, 0, 0, full - features.shape[1]))
    mask = (torch.arange(full) < lengths[:, None])[:, :, None].double()
    with torch.no_grad():
        levels, _ = network.backbone(features, mask, full)
        pyramid = network.neck(levels)
    tolerance = 2e-7 if config.position_encoding else 1e-10
    for index in range(config.levels):
        close(levels[index].transpose(1, 2), arrays[f"f64/batch/backbone_l{index}"], tolerance)
        close(pyramid[index].transpose(1, 2), arrays[f"f64/batch/fpn_l{index}"], tolerance)


@pytest.mark.parametrize("name", WINDOWS)
def test_declared_weights(name: str) -> None:
    published = golden("actionformer_config.json")[name]
    config = config_of(published["config"])
    parameters = dict(ActionFormer(config).named_parameters())
    assert set(parameters) == set(published["weights"])
    assert all(p.numel() == np.prod(published["weights"][n], dtype=int) for n, p in parameters.items())
    assert sum(p.numel() for p in parameters.values()) == published["n_params"]
    assert config.divisor == published["max_div_factor"]


@pytest.mark.parametrize(
    ("preset", "classes", "count"), [("published", 20, 29_251_612), ("published-activitynet", 200, 8_123_145)]
)
def test_published_sizes(preset: str, classes: int, count: int) -> None:
    data = SimpleNamespace(train=SimpleNamespace(rows=np.zeros((1, 2048))), classes=range(classes))
    with torch.device("meta"):
        network = LabelledActionFormer(preset=preset).network(data)  # type: ignore[arg-type]
    assert sum(p.numel() for p in network.parameters()) == count


def annotated(arrays: Arrays) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    segments = [torch.from_numpy(arrays[name]) for name in numbered(arrays, "in/segments_")]
    return segments, [torch.from_numpy(arrays[name]) for name in numbered(arrays, "in/labels_")]


@pytest.mark.parametrize("name", WINDOWS)
def test_targets(name: str) -> None:
    arrays = golden(f"actionformer_losses_{name}.npz")
    config = config_of(golden("actionformer_config.json")[name]["config"])
    targets = assign_batch(torch.from_numpy(arrays["points"]), *annotated(arrays), config.classes, config.centre_radius)
    positive = arrays["pos_mask"]
    assert np.array_equal((targets.instance >= 0).numpy() & arrays["valid_mask"], positive)
    valid = arrays["valid_mask"]
    assert np.array_equal(targets.classes.numpy()[valid], arrays["target_cls"][valid])
    close(targets.offsets.numpy()[positive], arrays["target_reg"][positive], 1e-4)


def step_losses(
    network: ActionFormer, found: Detections, targets: Targets, normalizer: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, Any]:
    config = network.config
    sums = detector_losses(found, targets, config.label_smoothing)
    normalizer = update_normalizer(normalizer, sums.positive_points)
    classification, regression = sums.classification / normalizer, sums.regression / normalizer
    return classification, regression, classification + config.regression_weight * regression, normalizer, sums


@pytest.mark.parametrize("name", WINDOWS)
def test_losses_and_gradients(name: str) -> None:
    arrays = golden(f"actionformer_losses_{name}.npz")
    config = config_of(golden("actionformer_config.json")[name]["config"])
    weights = arrays if any(k.startswith("w/") for k in arrays) else golden(f"actionformer_forward_{name}.npz")
    network = network_of(config, weights, "w/", torch.float32).train()
    features, lengths = videos(arrays, numbered(arrays, "in/feats_"), torch.float32)
    segments, labels = annotated(arrays)
    found = network(features, lengths)
    targets = assign_batch(found.points, segments, labels, config.classes, config.centre_radius)
    cls, reg, final, normalizer, sums = step_losses(network, found, targets, torch.tensor(arrays["normalizer_before"]))
    for value, key in (
        (sums.classification, "focal_sum"),
        (sums.regression, "diou_sum"),
        (cls, "cls_loss"),
        (reg, "reg_loss"),
    ):
        close(value.detach(), arrays[key], 1e-5)
    assert int(sums.positive_points) == arrays["num_pos"]
    close(normalizer, arrays["normalizer_after"], 1e-12)
    close(final.detach(), arrays["final_loss"], 1e-5)
    final.backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        expected = arrays[f"grad/{key}"].reshape(parameter.shape)
        assert np.allclose(parameter.grad.numpy(), expected, atol=1e-4, rtol=1e-4), key
    close(torch.nn.utils.get_total_norm([p.grad for p in network.parameters()]), arrays["grad_norm_total"], 1e-4)  # type: ignore[misc]
    *_, again, normalizer, _ = step_losses(network, found, targets, normalizer)
    close(again.detach(), arrays["final_loss_2"], 1e-5)
    close(normalizer, arrays["normalizer_after_2"], 1e-12)
    bare = [i for i, s in enumerate(segments) if len(s) == 0]  # the batch without positives: videos without segments
    features, lengths = videos(arrays, [f"in/feats_{i}" for i in bare], torch.float32)
    found = network(features, lengths)
    nothing = assign_batch(found.points, [segments[i] for i in bare], [labels[i] for i in bare], config.classes)
    cls, reg, final, normalizer, _ = step_losses(network, found, nothing, normalizer)
    close(
        [cls.detach(), reg.detach(), final.detach()], [arrays[f"empty/{k}_loss"] for k in ("cls", "reg", "final")], 1e-5
    )
    close(normalizer, arrays["normalizer_after_3_empty"], 1e-12)


def test_optimizer_groups() -> None:
    published = golden("schedules.json")["actionformer_trainsteps"]
    network = ActionFormer(config_of(published["config"]))
    names = {id(p): n for n, p in network.named_parameters()}
    decaying, rest = decay_groups(network, published["optimizer"]["weight_decay"])
    assert {names[id(p)] for p in decaying["params"]} == set(published["decay_params"])
    assert {names[id(p)] for p in rest["params"]} == set(published["no_decay_params"])


def test_training_steps() -> None:
    arrays = golden("actionformer_trainsteps.npz")
    published = golden("schedules.json")["actionformer_trainsteps"]
    config = config_of(published["config"])
    network = network_of(config, arrays, "w0/", torch.float64).train()
    average = {n: p.detach().clone() for n, p in network.named_parameters()}
    decay = float(arrays["ema_decay"])
    optimizer = torch.optim.AdamW(decay_groups(network, published["optimizer"]["weight_decay"]))
    normalizer = torch.tensor(config.initial_normalizer, dtype=torch.float64)
    segments, labels = annotated(arrays)
    for step, rate in enumerate(arrays["lr_used"]):
        features, lengths = videos(arrays, numbered(arrays, f"in/step{step}/feats_"), torch.float64)
        found = network(features, lengths)
        targets = assign_batch(found.points, segments, labels, config.classes, config.centre_radius)
        cls, reg, final, normalizer, _ = step_losses(network, found, targets, normalizer)
        close([cls.item(), reg.item(), final.item()], arrays["losses_cls_reg_final"][step], 1e-5)
        close(normalizer, arrays["normalizer"][step], 1e-12)
        optimizer.zero_grad()
        final.backward()
        norm = torch.nn.utils.clip_grad_norm_(
            network.parameters(), published["config"]["train_cfg"]["clip_grad_l2norm"]
        )
        close(norm, arrays["grad_norm_before_clip"][step], 1e-5)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        for name, parameter in network.named_parameters():
            average[name].mul_(decay).add_(parameter.detach(), alpha=1 - decay)
    for name, parameter in network.named_parameters():
        close(parameter.detach(), arrays[f"w4/{name}"].reshape(parameter.shape), 2e-5)
        close(average[name], arrays[f"ema4/{name}"].reshape(parameter.shape), 2e-5)


def test_uneven_videos_are_computed_one_by_one() -> None:
    """Videos of unequal lengths give the numbers of the padded batch, gradients included."""
    config = config_of(golden("actionformer_config.json")["thumos"]["config"])
    arrays = golden("actionformer_forward_thumos.npz")
    network = network_of(config, arrays, "w/", torch.float64).train()
    features = torch.randn(3, 60, config.input_dim, generator=torch.Generator().manual_seed(0)).double()
    lengths = torch.tensor([60, 7, 20])
    features[torch.arange(60)[None] >= lengths[:, None]] = 0
    assert network._uneven(lengths, 60)
    found = network(features, lengths)
    whole = network._run(features, lengths, config.padded_length(60), config.computed_length(60))
    for one, other in zip(found, whole, strict=True):
        close(one.detach(), other.detach(), 1e-12)
    grads = [
        torch.autograd.grad(d.logits.square().sum() + d.offsets.square().sum(), list(network.parameters()))
        for d in (found, whole)
    ]
    for one, other in zip(*grads, strict=True):
        close(one, other, 1e-9)
