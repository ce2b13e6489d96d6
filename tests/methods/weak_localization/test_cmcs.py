"""CMCS where the reference values do not reach: still clips, examples of one class, contexts, that it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.weak_localization.cmcs import CMCS, of_its_range
from methods.weak_localization.parts.branch_network import diversity_loss, norm_loss
from methods.weak_localization.parts.dilated_runs import context_contrast, dilated
from methods.weak_localization.parts.still_clips import change, still_clips, still_stretches
from tests.methods.weak_localization.conftest import run_of, task_data, train, videos_of


def test_change_is_the_mean_distance_to_the_neighbours():
    features = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]])
    assert change(features).tolist() == [5.0, 3.0, 1.0]
    assert change(features[:1]).tolist() == [0.0]


def test_still_stretches_are_long_enough_and_bridge_single_outliers():
    motion = np.array([9, 1, 1, 9, 1, 1, 1, 9, 9, 9, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9.0])
    found = still_stretches(motion, quantile=0.5, shortest=3)
    assert np.flatnonzero(found).tolist() == [1, 2, 3, 4, 5, 6]  # of ten, the lone one is no stretch
    assert not still_stretches(motion, quantile=0.5, shortest=7).any()


def test_still_clips_are_those_of_videos_with_some_but_not_many():
    videos = videos_of([40, 40])
    rows = np.random.default_rng(1).normal(size=videos.rows.shape).astype(np.float32)
    rows[10:18] = 0.0  # a fifth of the first video
    videos = replace(videos, rows=rows)
    found = np.flatnonzero(still_clips(videos, 0.25, 0.05, 0.30))
    assert set(range(11, 17)) <= set(found.tolist())
    assert not len(np.flatnonzero(still_clips(videos, 0.25, 0.0, 0.05)[:40]))
    assert not len(np.flatnonzero(still_clips(videos, 0.25, 0.5, 1.0)[:40]))


def test_a_video_of_two_classes_is_two_examples_of_half_the_weight():
    labels = np.array([[True, True, False], [False, False, True], [False, False, False]])
    data = task_data(videos_of([6, 9, 7], labels=labels))
    method = CMCS(batch=10, fusion="early")
    run = run_of(method, data)
    run.memory["still"] = torch.zeros(22, dtype=torch.bool)
    run.memory["still"][8:11] = True  # of the second video
    (batch,) = method.batches(run, np.random.default_rng(0))
    found = sorted(zip(*(batch[name].tolist() for name in ("video", "label", "weight", "length"))))
    assert found == [(0, 0, 0.5, 6), (0, 1, 0.5, 6), (1, 2, 1.0, 9), (1, 3, 1.0, 3)]
    place = batch["label"].tolist().index(3)  # the class behind the three is background
    assert batch["index"][place, :3].tolist() == [8, 9, 10]
    assert batch["examples"].tolist() == [4] * 4


def test_losses_are_summed_over_a_batch():
    data = task_data(videos_of([6, 9, 7]))
    method = CMCS(batch=3, fusion="early", negatives="none", dropout=0.0)
    run = run_of(method, data)
    (whole,) = method.batches(run, np.random.default_rng(0))
    single = CMCS(batch=1, fusion="early", negatives="none", dropout=0.0).batches(run, np.random.default_rng(0))
    parts = [method.loss(run.network, batch, run) for batch in single]
    for name, value in method.loss(run.network, whole, run).items():
        assert value.item() == pytest.approx(sum(part[name].item() for part in parts), rel=1e-5)


def test_two_networks_share_no_gradient():
    data = task_data(videos_of([6, 9]))
    method = CMCS(fusion="late", dropout=0.0)
    run = run_of(method, data)
    flow = [p for name, p in run.network.named_parameters() if name.startswith("nets.1")]
    before = [p.detach().clone() for p in flow]
    batch = next(method.batches(run, np.random.default_rng(0)))
    run.residents["rows"] = torch.tensor(data.train.rows)
    run.residents["rows"][:, : data.train.rows.shape[1] // 2] *= 5  # other RGB features
    gradients = []
    for _ in range(2):
        run.network.zero_grad()
        sum(method.loss(run.network, batch, run).values()).backward()
        gradients.append([p.grad.clone() for p in flow])
        run.residents["rows"][:, : data.train.rows.shape[1] // 2] *= -1
    assert all(torch.equal(a, b) for a, b in zip(*gradients))
    assert all(torch.equal(a, b) for a, b in zip(before, flow))


def test_one_branch_has_nothing_to_differ_from():
    branches = torch.randn(2, 1, 5, 3)
    lengths = torch.tensor([5, 3])
    assert not diversity_loss(branches, lengths).any()
    assert not norm_loss(branches, lengths).any()


def test_equal_branches_are_wholly_alike():
    branches = torch.randn(1, 1, 6, 3).expand(1, 4, 6, 3)
    assert diversity_loss(branches, torch.tensor([6])).item() == pytest.approx(1.0, abs=1e-4)


@given(st.lists(st.booleans(), min_size=3, max_size=60), st.integers(0, 100), st.booleans())
def test_contrast_agrees_with_plain_slices(active, seed, lose_left):
    signal = np.random.default_rng(seed).random(len(active))
    edges = np.flatnonzero(np.diff(np.array(active).astype(int), prepend=0, append=0)).reshape(-1, 2)
    found = context_contrast(signal, edges[:, 0], edges[:, 1] - 1, lose_left)
    for (first, behind), score in zip(edges, found):
        size = max(1, (behind - first) / 4)
        low, high = int(first - size), int(max(behind + size, behind + 1))
        left = signal[first:first] if low < 0 and lose_left else signal[max(0, low) : first]
        around = np.concatenate([left, signal[behind:high]])
        assert score == pytest.approx(signal[first:behind].mean() - (around.mean() if len(around) else 0.0))


@given(st.lists(st.booleans(), min_size=1, max_size=50), st.integers(0, 12))
def test_dilation_agrees_with_plain_loops(active, points):
    mask = np.array(active)
    before = points // 2
    behind = max(0, points - 1 - before)
    expected = [mask[max(0, i - behind) : i + before + 1].any() for i in range(len(mask))]
    assert dilated(mask, points).tolist() == expected


def test_a_constant_signal_proposes_nothing():
    method = CMCS()
    assert not of_its_range(np.full((4, 1), 0.3)).any()
    assert not len(method.propose(np.zeros(64), 0.9, np.zeros(64)).first)


def test_detections_end_with_the_video(planted):
    method = CMCS(hidden=8)
    run = run_of(method, planted)
    with torch.no_grad():
        found = method.decode(method.score(run.network, planted.test, run), planted.test)
    assert (found.end <= planted.test.duration[found.video]).all()


def test_it_learns(clear):
    method = CMCS(hidden=16, branch_hidden=8, fusion="early", negatives="none", dropout=0.2, batch=10)
    run = run_of(method, clear)
    losses = train(method, run, 6, lr=1e-2)
    epoch = len(losses) // 6
    assert np.mean(losses[-epoch:]) < 0.7 * np.mean(losses[:epoch])
