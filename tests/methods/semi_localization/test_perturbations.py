"""Warps, reversals and shifts of sequences and their boundary maps, by cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.networks.bmn.model import BoundaryMap
from methods.networks.bmn.sampling import valid_cells
from methods.semi_localization.mean_teacher import resample, time_mask, time_warp, warp_map
from methods.semi_localization.parts.ranking import proposal_ambiguity
from methods.semi_localization.parts.windows import Windows
from methods.semi_localization.sstap import reverse, reverse_map, sharpen, shift_channels
from suite.evaluate.segments import Segments
from tests.tasks.localization.test_splits import toy_videos


def extents_map(layout: str, rows: int, length: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray, np.ndarray]:
    """A map that holds 100 * start + end of each proposal, and which cells are valid."""
    cells, extents = valid_cells(layout, length, rows)  # type: ignore[arg-type]
    last = extents[:, 1] - (1 if layout == "start-end" else 0)
    maps, valid = torch.zeros(1, rows, length), torch.zeros(rows, length, dtype=torch.bool)
    maps[0, cells[:, 0], cells[:, 1]] = torch.tensor(100.0 * extents[:, 0] + last, dtype=torch.float32)
    valid[cells[:, 0], cells[:, 1]] = True
    return maps, valid, cells, np.stack([extents[:, 0], last], axis=1)


@pytest.mark.parametrize(("layout", "rows"), [("start-end", 6), ("duration-start", 6), ("duration-start", 4)])
def test_reversed_map(layout: str, rows: int) -> None:
    maps, valid, cells, ends = extents_map(layout, rows, 6)
    backwards = reverse_map(maps, layout)[0]  # type: ignore[arg-type]
    for (row, column), (start, end) in zip(cells, ends, strict=True):
        assert backwards[row, column] == 100 * (5 - end) + 5 - start
    assert not backwards[~valid].any()


def test_reversal_swaps_starts_and_ends() -> None:
    curve, other = torch.tensor([[0.1, 0.2, 0.9]]), torch.tensor([[0.5, 0.6, 0.7]])
    empty = torch.zeros(1, 3, 3)
    found = reverse(BoundaryMap(curve, other, empty, empty), "start-end")
    assert torch.equal(found.start, other.flip(1))
    assert torch.equal(found.end, curve.flip(1))
    released = reverse(BoundaryMap(curve, other, empty, empty), "start-end", swap=False)
    assert torch.equal(released.start, curve.flip(1))


@pytest.mark.parametrize(("layout", "rows"), [("start-end", 6), ("duration-start", 6), ("duration-start", 4)])
def test_identity_warp_keeps_the_map(layout: str, rows: int) -> None:
    maps, valid, _, _ = extents_map(layout, rows, 6)
    positions = torch.arange(6.0)[None]
    assert torch.allclose(warp_map(maps, valid, positions, layout), maps, atol=1e-3)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", ["start-end", "duration-start"])
def test_warped_map_reads_where_the_ends_come_from(layout: str) -> None:
    maps, valid, cells, ends = extents_map(layout, 8, 8)
    positions = torch.tensor([[0.0, 0.5, 1.0, 1.5, 2.0, 4.0, 6.0, 7.0]])
    warped = warp_map(maps, valid, positions, layout)[0]  # type: ignore[arg-type]
    for (row, column), (start, end) in zip(cells, ends, strict=True):
        source_start, source_end = float(positions[0, start]), float(positions[0, end])
        if source_end - source_start >= 1:  # away from the border of the valid triangle interpolation is exact
            assert warped[row, column].item() == pytest.approx(100 * source_start + source_end, abs=1e-2)


def test_warp_and_mask_are_what_they_say() -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        warp = time_warp(50, 0.1, generator)
        assert warp[0] == 0
        assert warp[-1] == 49
        assert (np.diff(warp) > 0).all()
        mask = time_mask(50, 0.2, generator)
        assert 40 <= mask.sum() <= 50
        assert np.count_nonzero(np.diff(mask)) <= 2


def test_resample_interpolates() -> None:
    sequence = torch.tensor([[[0.0], [10.0], [30.0]]])
    assert resample(sequence, torch.tensor([[0.5, 1.0, 2.0]])).flatten().tolist() == [5.0, 10.0, 30.0]


def test_shifted_channels() -> None:
    features = torch.arange(9.0).reshape(1, 3, 3)
    shifted = shift_channels(features, torch.tensor([[0]]), torch.tensor([[2]]))
    assert shifted[0].tolist() == [[3.0, 1.0, 0.0], [6.0, 4.0, 2.0], [0.0, 7.0, 5.0]]


def test_sharpened_curve() -> None:
    assert sharpen(torch.tensor([0.05, 0.1, 0.5, 0.9, 0.95])).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_proposal_ambiguity_by_hand() -> None:
    other = np.array([[0.0, 10.0], [2.0, 10.0], [40.0, 50.0]])
    weight = np.array([3.0, 1.0, 5.0])
    found = proposal_ambiguity(np.array([0.0, 40.0]), np.array([10.0, 50.0]), other, weight)
    # starts 0 and 2 with weights 3/4, 1/4: variance 3/4; the lone third proposal cannot be judged
    assert found[0] == pytest.approx(0.75 / 10)
    assert np.isinf(found[1])
    std = proposal_ambiguity(np.array([0.0]), np.array([10.0]), other, weight, "std")
    assert std[0] == pytest.approx(0.75**0.5 / 10)


def test_windows_cover_a_video_and_clip_segments() -> None:
    videos = toy_videos(np.eye(2, dtype=bool))  # two videos of three snippets of one second
    windows = Windows.over(videos, np.array([0, 1]), 2, resize=False)
    assert windows.video.tolist() == [0, 0, 1, 1]
    assert windows.first.tolist() == [0, 1, 0, 1]
    known = Segments([0, 0], [0, 1], [1.0, 0.0], [2.0, 3.0])
    segments, labels = windows.segments(1, known)
    assert segments.tolist() == [[0.0, 1.0]]  # the second one is a third outside
    assert labels.tolist() == [0]
    padded = Windows.over(videos, np.array([0]), 8, resize=False)
    assert len(padded) == 1
    assert padded.features(0).shape == (8, 2)
    whole = Windows.over(videos, np.array([0]), 6, resize=True)
    assert whole.segments(0, known)[0].tolist() == [[2.0, 4.0], [0.0, 6.0]]
