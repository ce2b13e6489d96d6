"""SPOT's released targets, losses, one training step, candidates and suppression, by ``arithmetic=released``.

Where the method follows the paper instead, the released value is ours with the difference that docs/faithful states.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from methods.semi_localization.parts.masks import SnippetMasks, class_loss, mask_loss, snippet_targets
from methods.semi_localization.parts.masks_released import (
    ReleasedMaskNetwork,
    released_candidates,
    released_class_loss,
    released_dice,
    released_mask_loss,
    released_overlap,
    released_suppression,
)
from methods.semi_localization.parts.unlabelled_windows import batch_by_share
from methods.semi_localization.spot import SPOT
from suite.method import Losses, Phase, Run
from suite.train.optimizers import make_optimizer
from tests.golden import close, golden

Arrays = dict[str, np.ndarray]
TOLERANCE, INFERENCE = 1e-9, 1e-5
NAMES = {
    "embedding.w_qs": "attend.query",
    "embedding.w_ks": "attend.key",
    "embedding.w_vs": "attend.value",
    "embedding.layer_norm": "attend.norm",
    "embedding.fc": "attend.merge",
    "classifier.0": "classify",
    "global_mask": "mask",
}


def cases(start: str, end: str) -> list[str]:
    """What stands before ``end`` in the names that start and end so."""
    keys = [key for key in golden("rival_spot.npz") if key.startswith(start) and key.endswith(end)]
    found = sorted(key.removesuffix(end) for key in keys)
    assert found
    return found


LOSSES = cases("loss_", "__total")


# Targets ------------------------------------------------------------------------------------------------------------


def released_cells(arrays: Arrays, video: int) -> tuple[int, int, int] | None:
    """First and last cell and label of a video's last annotation, where it covers more than 17 % of the video."""
    seconds, frames, covered = arrays[f"targets__video{video}__duration_frames_featureframes"]
    length, duration = len(arrays[f"targets__v{arrays['targets__kept_videos'][0]}__class_target"]), seconds
    duration *= covered / frames
    annotations = arrays["targets__annotations_video_start_end_label"]
    start, end, label = annotations[annotations[:, 0] == video][-1, 1:]
    if (end - start) / duration <= 0.17:
        return None
    first, last = (int(length * np.clip(second / duration, 0, 1)) for second in (start, end))
    return first, last, int(label)


def test_videos_that_the_release_keeps() -> None:
    """Ours learn every annotation of every video; the release the last one of these videos."""
    arrays = golden("rival_spot.npz")
    videos = sorted({int(video) for video in arrays["targets__annotations_video_start_end_label"][:, 0]})
    kept = [video for video in videos if released_cells(arrays, video)]
    assert kept == arrays["targets__kept_videos"].tolist()


def test_released_targets_are_ours_less_one_cell_on_each_side() -> None:
    arrays = golden("rival_spot.npz")
    for video in arrays["targets__kept_videos"]:
        cells = released_cells(arrays, int(video))
        assert cells is not None
        assert cells == tuple(arrays[f"targets__v{video}__first_last_label"][0])
        target = arrays[f"targets__v{video}__class_target"]
        classes = int(target.max())  # background is the last class, and every video has some
        inner = np.array([[cells[0] + 1.0, cells[1] - 1.0]])
        label, mask = snippet_targets(inner, np.array(cells[2:]), len(target), classes)
        assert np.array_equal(label, target)
        assert np.array_equal(mask, arrays[f"targets__v{video}__mask_target"])
        assert np.array_equal(label < classes, arrays[f"targets__v{video}__foreground"] > 0)
        ours, _ = snippet_targets(np.array([cells[:2]], dtype=float), np.array(cells[2:]), len(target), classes)
        assert np.flatnonzero(ours != label).tolist() == [cells[0], cells[1] - 1]


# Losses -------------------------------------------------------------------------------------------------------------


class Case:
    """Inputs of one case of the losses; logits (B, T, C + 1), maps (B, T, T)."""

    def __init__(self, name: str) -> None:
        self.arrays, self.name = golden("rival_spot.npz"), name
        self.logits = self.tensor("class_logits").transpose(1, 2).requires_grad_()
        self.label = self.tensor("class_target")
        self.probability = self.tensor("mask_probability").requires_grad_()
        self.mask = self.tensor("mask_target").double()

    def tensor(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[f"{self.name}__{name}"])

    def expected(self, name: str) -> np.ndarray:
        return np.asarray(self.arrays[f"{self.name}__{name}"])


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    case = Case(name)
    top, bottom = 0.5 * released_class_loss(case.logits, case.label), released_mask_loss(case.probability, case.mask)
    close(top.item(), case.expected("top_loss_times_lambda1"), TOLERANCE)
    close(bottom.item(), case.expected("bottom_loss"), TOLERANCE)
    close((top + bottom).item(), case.expected("total"), TOLERANCE)
    close(released_dice(case.probability, case.mask).item(), case.expected("dice"), TOLERANCE)
    (top + bottom).backward()
    assert case.logits.grad is not None
    assert case.probability.grad is not None
    close(case.logits.grad.transpose(1, 2), case.expected("grad_class_logits"), TOLERANCE)
    close(case.probability.grad, case.expected("grad_mask_probability"), TOLERANCE)


@pytest.mark.parametrize("name", LOSSES)
def test_the_class_loss_differs_from_ours_by_where_the_focal_factor_is_taken(name: str) -> None:
    """With gamma 0 ours is the mean over each side; weighted by their sizes it is the cross entropy that they take."""
    case = Case(name)
    foreground = case.label < case.logits.shape[2] - 1
    sides = [(2 * class_loss(case.logits, case.label, side, gamma=0), side.sum()) for side in (foreground, ~foreground)]
    mean = sum(loss.item() * int(count) for loss, count in sides) / case.label.numel()
    close(0.5 * (1 - np.exp(-mean)) ** 2 * mean, case.expected("top_loss_times_lambda1"), TOLERANCE)


@pytest.mark.parametrize("name", LOSSES)
def test_the_dice_differs_from_ours_by_a_factor(name: str) -> None:
    """Ours doubles the overlap: a perfect mask costs nothing. Theirs leaves it at about a half."""
    case = Case(name)
    perfect = case.mask
    assert mask_loss((perfect * 2 - 1) * 40, perfect, torch.ones(perfect.shape[:2], dtype=torch.bool)).item() < 1e-9
    sums = perfect.flatten(1).sum(1)
    close(released_dice(perfect, perfect).item(), (1 - (sums + 1) / (2 * sums + 1)).mean().item(), TOLERANCE)


@pytest.mark.parametrize("name", cases("loss_", "__pseudo_mask"))
def test_pseudo_labels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``published`` takes as true: every arg-max class, background too, and masks of .7."""
    case = Case(name)
    label, mask = pseudo_of(SPOT(preset="published"), case.logits, case.probability.logit(), monkeypatch)
    assert np.array_equal(label, case.expected("pseudo_class"))
    assert np.array_equal(mask, case.expected("pseudo_mask"))


def pseudo_of(
    method: SPOT, logits: torch.Tensor, masks: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> tuple[torch.Tensor, torch.Tensor]:
    """Targets (class, mask) which the method makes of its own output."""
    seen: list[torch.Tensor] = []

    def keep(part: object, classes: torch.Tensor, outlined: torch.Tensor, *rest: torch.Tensor) -> Losses:
        seen.extend(rest[:2])
        return (torch.zeros(()), torch.zeros(()))  # type: ignore[return-value]

    with monkeypatch.context() as patch:
        patch.setattr(type(SPOT.detector), "losses", keep)
        method._pseudo(logits, masks, 1.0)
    return seen[0], seen[1]


# One step -----------------------------------------------------------------------------------------------------------


def ours(theirs: str) -> str:
    prefix = next(prefix for prefix in NAMES if theirs.startswith(prefix))
    return NAMES[prefix] + theirs[len(prefix) :]


class Step:
    """The released step: the published method, its network with the given weights and without dropout, features."""

    def __init__(self) -> None:
        self.arrays = golden("rival_spot.npz")
        _, length, inputs, classes, hidden, heads = map(int, self.arrays["step__sizes_B_T_F_C_h_heads"])
        self.method = SPOT(preset="published", length=length, width=hidden, heads=heads)
        data = SimpleNamespace(train=SimpleNamespace(rows=np.zeros((1, inputs))), classes=range(classes))
        self.network = self.method.network(data).double().eval()  # type: ignore[arg-type]
        parameters = dict(self.network.named_parameters())
        self.names = [key.removeprefix("step__param0__") for key in self.arrays if key.startswith("step__param0__")]
        with torch.no_grad():
            for name in self.names:
                value = torch.from_numpy(self.arrays[f"step__param0__{name}"])
                parameters[ours(name)].copy_(value.reshape(parameters[ours(name)].shape))
        self.parameters = parameters

    def features(self, group: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[f"step__features_{group}"]).transpose(1, 2)

    def same(self, prefix: str, name: str, value: torch.Tensor) -> None:
        close(value.reshape(self.arrays[f"{prefix}{name}"].shape), self.arrays[f"{prefix}{name}"], TOLERANCE)


def test_forward() -> None:
    step = Step()
    assert isinstance(step.network, ReleasedMaskNetwork)
    with torch.no_grad():
        logits, masks = step.network(step.features("labelled"))
        features = step.network.features(step.features("labelled"))
    close(logits.transpose(1, 2), step.arrays["step__out__class_logits"], TOLERANCE)
    close(masks.sigmoid(), step.arrays["step__out__mask"], TOLERANCE)
    close(features.transpose(1, 2), step.arrays["step__out__features"], TOLERANCE)


def test_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses of both kinds. The release optimizes the labelled one, and two terms on features that ours lack."""
    step = Step()
    arrays, network = step.arrays, step.network
    assert isinstance(network, SnippetMasks)
    label, mask = (torch.from_numpy(arrays[f"step__{name}_target"]) for name in ("class", "mask"))
    batch = {
        "labelled": {"features": step.features("labelled"), "label": label, "mask": mask.double()},
        "unlabelled": {"features": step.features("unlabelled")},
    }
    run: Run = SimpleNamespace(phase=Phase(steps=1), step=1)  # type: ignore[assignment]
    parts = step.method.loss(network, batch, run)
    for names, group in ((("class", "mask"), "label"), (("pseudo_class", "pseudo_mask"), "unlabel")):
        top, bottom = (parts[name].item() for name in names)
        close([top + bottom, top, bottom], arrays[f"step__loss_{group}_total_top_bottom"], TOLERANCE)
    guessed = pseudo_of(step.method, *network(step.features("unlabelled")), monkeypatch)
    for name, found in zip(("class", "mask"), guessed, strict=True):
        assert np.array_equal(found, arrays[f"step__pseudo_{name}"])
    rebuilt = [
        (network.rebuild(network.features(step.features(g))) - step.features(g)).square().mean().item()
        for g in ("labelled", "unlabelled")
    ]
    close(rebuilt, [arrays["step__loss_feat_label"], arrays["step__loss_feat_unlabel"]], TOLERANCE)
    optimized = arrays["step__loss_label_total_top_bottom"][0] + sum(rebuilt)
    contrast = arrays["step__loss_contrast_label"] + arrays["step__loss_contrast_unlabel"]
    close(arrays["step__loss_all"], optimized + contrast, TOLERANCE)
    (parts["class"] + parts["mask"]).backward()  # heads: only this reaches them, nothing on pseudo-labels
    for name in step.names:
        if not name.startswith("embedding"):
            gradient = step.parameters[ours(name)].grad
            assert gradient is not None
            step.same("step__grad__", name, gradient)


def test_optimizer() -> None:
    step = Step()
    optimizer = make_optimizer(step.method, step.network, step.method.optimizer_settings())
    for name in step.names:
        parameter = step.parameters[ours(name)]
        parameter.grad = torch.from_numpy(step.arrays[f"step__grad__{name}"]).reshape(parameter.shape)
    optimizer.step()
    for name in step.names:
        step.same("step__param1__", name, step.parameters[ours(name)].detach())


# Inference ----------------------------------------------------------------------------------------------------------


def as_set(rows: np.ndarray, start: int) -> np.ndarray:
    """Rows (N, K) in one order: by start and end, which are multiples of a cell, then by the other columns."""
    others = [column for column in range(rows.shape[1]) if column not in (start, start + 1)]
    return rows[np.lexsort([*rows[:, others[::-1]].T, *np.round(rows[:, [start + 1, start]], 6).T])]


@pytest.mark.parametrize("video", cases("inference", "__class_logits"))
def test_inference(video: str) -> None:
    arrays = golden("rival_spot.npz")
    case, number = video.split("__")
    logits, mask = arrays[f"{video}__class_logits"].T, arrays[f"{video}__mask"]
    label, score = arrays[f"{video}__external_class_score"].tolist()
    external = (int(label), score) if case == "inference_external" else None
    top = SPOT(preset="published").top_snippets
    found = released_candidates(np.ascontiguousarray(logits), mask, top, external)
    length = len(mask)
    columns = [found.start / length, found.end / length, found.located, found.classified, found.label]
    expected = arrays[f"{video}__candidates_start_end_colscore_colreg_class"]
    close(as_set(np.stack(columns, axis=1), 0), as_set(expected, 0), INFERENCE)
    detections = arrays.get(f"{video}__detections_score_start_end_class")
    if detections is not None:
        seconds = float(arrays[f"{case}__durations"][int(number.removeprefix("v_"))])
        suppressed = suppressed_as(expected * [seconds, seconds, 1, 1, 1], detections)
        close(as_set(suppressed, 1), as_set(detections, 1), INFERENCE)


def suppressed_as(candidates: np.ndarray, detections: np.ndarray) -> np.ndarray:
    """Detections [score, start, end, class] from candidates [start, end, two scores, class].

    Candidates of equal score, of which there are many, compete in an order that the release draws from a set of
    strings: whichever of them leads to the given detections is taken first.
    """
    start, end, located, classified, label = candidates.T
    score = located * classified
    order = np.arange(len(score))
    found = np.zeros((0, 4))
    for _ in range(10 * len(score)):
        rows, values = released_suppression(start[order], end[order], score[order])
        rows = order[rows]
        found = np.stack([values, start[rows], end[rows], label[rows]], axis=1)
        far = np.abs(found[:, None] - detections[None]).max(axis=2).min(axis=1) > INFERENCE
        if not far.any():
            break
        row = rows[far.argmax()]
        tied = score[order] == score[row]
        order = np.concatenate([order[order != row], [row]]) if tied.sum() > 1 else order
    return found


def test_suppression() -> None:
    arrays = golden("rival_spot.npz")
    start, end, score = arrays["nms__start_end_score"].T
    overlap = np.stack([released_overlap(start, end, row) for row in range(len(start))])
    close(overlap, arrays["nms__iou_matrix_released"], TOLERANCE)
    rows, values = released_suppression(start, end, score)
    expected = arrays["nms__result_start_end_score"]
    close(np.stack([start[rows], end[rows], values], axis=1), expected, TOLERANCE)


# Settings -----------------------------------------------------------------------------------------------------------


def test_published_settings() -> None:
    defaults = golden("rival_spot__defaults.json")
    config, testing = defaults["config/anet.yaml"], defaults["config/anet.yaml"]["testing"]
    method = SPOT(preset="published")
    assert (method.batch, method.lr, method.weight_decay) == (
        config["batch_size"],
        config["learning_rate"],
        config["weight_decay"],
    )
    assert (method.semi_epochs, method.epochs) == (config["max_epoch"], defaults["spot_train.py"]["pretraining epochs"])
    assert method.fall_after * method.semi_epochs == pytest.approx(config["step"])
    assert method.fall == config["gamma"]
    assert (method.heads, method.length) == (config["embedding_head"], config["temporal_scale"])
    assert method.width == defaults["spot_model.py"]["mask branch hidden"]
    assert method.top_snippets == testing["top_k_snip"]
    assert method.sure == defaults["spot_train.py"]["pseudo mask threshold"]
    assert batch_by_share(config["batch_size"], config["unlabel_percent"]) == 24
