"""Videos that ActionFormer computes together, and windows that BMN does, have the outputs that each has alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.semi_localization.parts import anchor_free, proposal_network
from methods.semi_localization.parts.batches import together
from suite.data import load
from suite.method import Run
from suite.registry import method
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TaskData[Videos]:
    name = "planted-videos[videos=40,video_seconds=20,classes=2,channels=8,labelled=0.5]"
    return load(name, "semi-localization", cache=tmp_path_factory.mktemp("cache"))


def test_groups_hold_places_of_one_size_and_few_cells() -> None:
    assert list(together([3, 5, 3, 3, 9], 6)) == [[0, 2], [3], [1], [4]]
    assert list(together([], 6)) == []


@pytest.mark.parametrize("resize", [False, True])
def test_outputs_are_those_of_each_video_alone(
    resize: bool, world: TaskData[Videos], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    sizes = {"embedding": 16, "heads": 2, "levels": 3, "window": 5, "max_length": 64, "position_encoding": True}
    detector = method("actionformer")(resize=resize, **sizes).detector  # type: ignore[attr-defined]
    network = detector.network(world).eval()
    told: list[tuple[int, int]] = []
    run = Run(world, network, 0, torch.device("cpu"), lambda name, value: None, lambda key, make: make())
    run.tell = lambda what, done, of: told.append((done, of))
    calls: list[int] = []
    network.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    rows = list(range(3, len(world.train)))
    with torch.no_grad():
        many = dict(detector.outputs(network, detector.on_grid(world.train), rows, run, "videos"))
        assert max(calls) > 1 and sum(calls) == len(rows)
        assert told == [(done, len(rows)) for done in range(len(rows))]
        monkeypatch.setattr(anchor_free, "TOGETHER", 1)
        calls.clear()
        for row, alone in detector.outputs(network, detector.on_grid(world.train), rows, run, "videos"):
            assert torch.equal(many[row].points, alone.points) and torch.equal(many[row].valid, alone.valid)
            np.testing.assert_allclose(many[row].logits, alone.logits, atol=1e-5)
            np.testing.assert_allclose(many[row].offsets, alone.offsets, atol=1e-5)
        assert set(calls) == {1} and set(many) == set(rows)


@pytest.mark.parametrize("at_once", [1, 2, 16])
def test_proposals_are_those_of_all_windows_at_once(
    at_once: int, world: TaskData[Videos], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    detector = method("bmn")(preset="small", length=6, longest=4, hidden=8).detector  # type: ignore[attr-defined]
    network, videos = detector.network(world).eval(), world.train
    run = Run(world, network, 0, torch.device("cpu"), lambda name, value: None, lambda key, make: make())
    calls: list[int] = []
    network.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    row = int(np.argmax(videos.lengths))
    monkeypatch.setattr(proposal_network, "WINDOWS_AT_ONCE", 10**6)
    whole = detector.propose(network, videos, row, run)
    monkeypatch.setattr(proposal_network, "WINDOWS_AT_ONCE", at_once)
    parts = detector.propose(network, videos, row, run)
    first, *blocks = calls
    assert first > 2 and sum(blocks) == first and max(blocks) == min(at_once, first)
    for name in ("video", "label", "start", "end"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name)), name
    np.testing.assert_allclose(parts.score, whole.score, rtol=1e-5)
