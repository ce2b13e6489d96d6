"""Weak and strong views: boxes stay with what they show, actors keep their order, draws come from the generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.actor_detection.parts.augment_clips import GEOMETRIC, PHOTOMETRIC, RandAugment, flipped, jittered, moved
from methods.actor_detection.parts.augment_features import redrawn, strong_view, weak_view


def spot_clip(boxes: torch.Tensor, frames: int = 5, height: int = 40, width: int = 60) -> torch.Tensor:
    """White rectangles where the boxes are, on grey."""
    clip = torch.full((frames, 3, height, width), 0.5)
    for x1, y1, x2, y2 in (boxes * torch.tensor([width, height, width, height])).round().int().tolist():
        clip[:, :, y1:y2, x1:x2] = 1.0
    return clip


BOXES = torch.tensor([[0.1, 0.2, 0.3, 0.5], [0.5, 0.4, 0.9, 0.8]])


@pytest.mark.parametrize("name", sorted(PHOTOMETRIC))
@pytest.mark.parametrize("strength", [-0.9, 0.0, 0.9])
def test_photometric_operations_keep_shape_and_range(name: str, strength: float) -> None:
    clip = torch.rand(4, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    out = PHOTOMETRIC[name](clip, torch.full((4,), strength)).clamp(0, 1)
    assert out.shape == clip.shape
    assert torch.isfinite(out).all()


def test_no_strength_changes_nothing() -> None:
    clip = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    for name in ("brightness", "contrast", "colour", "sharpness", "solarize", "identity"):
        torch.testing.assert_close(PHOTOMETRIC[name](clip, torch.zeros(3)), clip)


def test_operations_do_what_they_are_called() -> None:
    clip = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    dark, bright = (PHOTOMETRIC["brightness"](clip, torch.full((2,), s)).mean() for s in (-0.5, 0.5))
    assert dark < clip.mean() < bright
    grey = PHOTOMETRIC["colour"](clip, torch.full((2,), -1.0))
    assert grey.std(dim=1).mean() < 0.2 * clip.std(dim=1).mean()
    assert len(PHOTOMETRIC["posterize"](clip, torch.ones(2)).unique()) <= 16
    stretched = PHOTOMETRIC["autocontrast"](clip * 0.5, torch.zeros(2))
    torch.testing.assert_close(stretched.amax(dim=(2, 3)), torch.ones(2, 3))
    even = PHOTOMETRIC["equalize"](clip**4, torch.zeros(2))
    assert abs(even.mean() - 0.5) < 0.02


def test_flip_moves_boxes_and_keeps_their_order() -> None:
    clip = spot_clip(BOXES)
    frames, boxes = flipped(clip, BOXES)
    torch.testing.assert_close(frames, spot_clip(boxes))
    torch.testing.assert_close(boxes[0], torch.tensor([0.7, 0.2, 0.9, 0.5]))
    again, back = flipped(frames, boxes)
    torch.testing.assert_close(again, clip)
    torch.testing.assert_close(back, BOXES)


def test_flip_leaves_padding_where_it_is() -> None:
    clip = torch.cat([spot_clip(BOXES), torch.zeros(5, 3, 40, 20)], dim=3)  # 60 of 80 columns show something
    shrunk = BOXES * torch.tensor([0.75, 1, 0.75, 1])
    frames, boxes = flipped(clip, shrunk, share=0.75)
    assert (frames[..., 60:] == 0).all()
    assert (boxes[:, 2] <= 0.75).all()


@pytest.mark.parametrize("name", sorted(GEOMETRIC))
def test_boxes_go_with_the_picture(name: str) -> None:
    """Where the moved box is, the picture is bright; the box bounds what it bounded."""
    boxes = torch.tensor([[0.4, 0.4, 0.6, 0.6]])
    frames, moved_boxes = moved(spot_clip(boxes), boxes, GEOMETRIC[name](torch.full((5,), 0.4)))
    bright = (frames[2, 0] > 0.75).nonzero().float() / torch.tensor([40, 60])
    found = torch.tensor([bright[:, 1].min(), bright[:, 0].min(), bright[:, 1].max(), bright[:, 0].max()])
    assert (moved_boxes[0, :2] <= found[:2] + 0.03).all()
    assert (moved_boxes[0, 2:] >= found[2:] - 0.03).all()
    assert not torch.allclose(moved_boxes, boxes, atol=1e-3)


def test_box_moved_out_of_the_picture_stays_in_the_list() -> None:
    boxes = torch.tensor([[0.0, 0.0, 0.1, 0.1], [0.5, 0.5, 0.6, 0.6]])
    _, out = moved(spot_clip(boxes), boxes, GEOMETRIC["translate x"](torch.full((5,), 1.0)))
    assert out.shape == boxes.shape
    assert (out[0, 2] - out[0, 0]) == 0, "outside: no area, but still the first actor"


def test_strength_may_change_over_time() -> None:
    clip = torch.full((9, 3, 8, 8), 0.5)
    still = RandAugment(1, 9.0, "constant")
    changing = RandAugment(1, 9.0, "interpolated")
    differs = []
    for augment in (still, changing):
        outs = [augment(clip, BOXES, np.random.default_rng(seed))[0] for seed in range(40)]
        differs.append(any((out.mean(dim=(1, 2, 3)).std() > 1e-3).item() for out in outs))
    assert differs == [False, True]


def test_photometric_views_leave_boxes_alone_and_repeat() -> None:
    clip = torch.rand(4, 3, 12, 12, generator=torch.Generator().manual_seed(3))
    augment = RandAugment()
    one, boxes = augment(clip, BOXES, np.random.default_rng(5))
    two, _ = augment(clip, BOXES, np.random.default_rng(5))
    assert torch.equal(one, two)
    assert torch.equal(boxes, BOXES)


def test_jitter_keeps_order_number_and_frame() -> None:
    out = jittered(BOXES, 0.075, np.random.default_rng(0))
    size = (BOXES[:, 2:] - BOXES[:, :2]).repeat(1, 2)
    assert ((out - BOXES).abs() <= 0.075 * size + 1e-6).all()
    assert ((out >= 0) & (out <= 1)).all()


def test_feature_views() -> None:
    features, noise, spread = torch.zeros(2, 3), torch.ones(2, 3), torch.tensor([1.0, 2.0, 0.0])
    torch.testing.assert_close(weak_view(features, noise, spread, 0.1)[0], torch.tensor([0.1, 0.2, 0.0]))
    kept, mean = torch.tensor([[True, False, True]]).expand(2, 3), torch.tensor([7.0, 8.0, 9.0])
    torch.testing.assert_close(strong_view(features, noise, kept, mean, spread, 0.5)[0], torch.tensor([0.5, 8.0, 0.0]))


def test_redrawn_nuisance_leaves_everything_else() -> None:
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(8, 2, generator=generator))[0].T
    nuisance, mean = 3.0 * basis, torch.randn(8, generator=generator)
    features, draws = torch.randn(500, 8, generator=generator), torch.randn(500, 2, generator=generator)
    view = redrawn(features, mean, nuisance, draws)
    rest = torch.eye(8) - basis.T @ basis
    torch.testing.assert_close(view @ rest, features @ rest, atol=1e-5, rtol=0)
    torch.testing.assert_close((view - mean) @ basis.T, 3.0 * draws, atol=1e-5, rtol=0)
