"""Clips as training material: padding, views, mirrored classes, broken clips, prefetching, both heads end to end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from methods.actor_detection.fixmatch import FixMatch
from methods.actor_detection.multi_label_semi import MultiLabelSemiSupervised
from methods.actor_detection.parts.augment_clips import RandAugment
from methods.actor_detection.parts.base import rows_of
from methods.actor_detection.parts.clip_inputs import AHEAD, ClipAugmentation, ClipInputs
from methods.actor_detection.supervised import Supervised
from methods.networks.acar import without_padding
from methods.networks.slowfast import SlowFast
from methods.networks.slowfast_detector import ActorDetector, boxes_with_owner
from suite.data.video import ClipSource
from suite.errors import UsageError
from suite.method import Method
from tests.methods.actor_detection.worlds import CLIP, TINY, clip_world, headline, training


class Recorder(nn.Module):
    """A network that keeps what it is shown and tells every actor apart by its box."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes, self.seen = classes, []

    def forward(self, clips: Tensor, boxes: Tensor, share: Tensor, people: list[int]) -> Tensor:
        assert len(people) == len(clips) and sum(people) == len(boxes)
        self.seen.append((clips, boxes, share))
        return boxes[:, 1:2] * 10 + torch.arange(self.classes, dtype=boxes.dtype)


def drawn(inputs: ClipInputs, clips: list[int], seed: int = 0) -> dict[str, Tensor]:
    return next(inputs.batches([np.array(clips)], np.random.default_rng(seed)))


def test_clips_of_two_sizes_are_padded_right_and_below() -> None:
    data = clip_world()
    part = drawn(ClipInputs(data, ClipAugmentation()), [0, 1])
    assert part["frames"].shape[2:4] == (40, 40)
    assert (part["frames"][1, :, 32:] == 0).all()
    np.testing.assert_allclose(part["share"], [[32 / 40, 1.0], [1.0, 32 / 40]], rtol=1e-6)
    first = data.train.box[0] * np.array([0.8, 1, 0.8, 1])
    np.testing.assert_allclose(part["boxes"][0, 0], first, rtol=1e-6)
    assert sum(part["people"]) == 3
    assert rows_of(part).tolist() == [0, 1, 2]


def test_teacher_and_student_see_the_same_actors_in_the_same_order() -> None:
    data = clip_world()
    inputs = ClipInputs(data, ClipAugmentation(flip=0.5, jitter=0.0, strong=RandAugment(geometric=True)))
    part, run = drawn(inputs, [2, 5, 8]), training(Supervised(**CLIP, **TINY), data).run
    weak, strong = Recorder(4), Recorder(4)
    assert inputs.logits(weak, part, "weak", run).shape == inputs.logits(strong, part, "strong", run).shape
    assert torch.equal(weak.seen[0][1][:, 0], strong.seen[0][1][:, 0])
    assert not torch.equal(weak.seen[0][0], strong.seen[0][0])
    again = Recorder(4)
    inputs.logits(again, part, "strong", run)
    assert torch.equal(strong.seen[0][0], again.seen[0][0]), "a view is a function of the batch"


def test_mirrored_clips_answer_in_the_classes_of_the_clip() -> None:
    data = clip_world(mirror=[1, 0, 2, 3])
    run = training(Supervised(**CLIP, **TINY), data).run
    always, never = (ClipInputs(data, ClipAugmentation(flip=chance)) for chance in (1.0, 0.0))
    part = drawn(always, [4])
    offsets = [inputs.logits(Recorder(4), part, "weak", run) for inputs in (always, never)]
    assert (offsets[0][:, 1] - offsets[0][:, 0]).tolist() == pytest.approx([-1.0] * len(offsets[0]), abs=1e-5)
    assert (offsets[1][:, 1] - offsets[1][:, 0]).tolist() == pytest.approx([1.0] * len(offsets[1]), abs=1e-5)


def test_still_shows_the_key_frame_alone() -> None:
    data = clip_world()
    part = drawn(ClipInputs(data, ClipAugmentation(), still=True), [1])
    frames = part["frames"][0]
    assert (frames == frames[:1]).all()
    assert np.array_equal(frames[0, :32, :40], data.train.frames.clip(1)[4])


def test_broken_clips_are_left_out_and_counted() -> None:
    data = clip_world(broken=(1, 4))
    inputs = ClipInputs(data, ClipAugmentation())
    assert len(drawn(inputs, [0, 1, 2])["frames"]) == 2
    loop = training(Supervised(**CLIP, **TINY), data)
    trained = loop.train()
    counts = [c["value"] for c in trained.curves if c["metric"] == "clips that do not decode"]
    assert counts
    assert max(counts) >= 4, "two in validation and two in test at least"
    scores = trained.scores["test"]["scores"]
    lost = np.isin(data.test.clip, [1, 4])
    assert (scores[lost] == 0).all()
    assert (scores[~lost] > 0).all()


def test_a_batch_of_broken_clips_is_skipped() -> None:
    data = clip_world(broken=(0, 1, 2, 3))
    trained = training(Supervised(**{**CLIP, "batch": 1, "evaluate_steps": 30, "steps": 30}, **TINY), data).train()
    assert np.isfinite(headline(trained))


def test_unlabelled_clips_that_are_all_broken_teach_nothing() -> None:
    trained = training(FixMatch(**CLIP, **TINY), clip_world(broken=(5, 6, 7, 8, 9))).train()
    assert np.isfinite(headline(trained))
    assert {c["value"] for c in trained.curves if c["metric"] == "unsupervised"} == {0.0}


def test_some_unlabelled_batches_may_be_empty() -> None:
    settings = {**CLIP, "batch": 1, "evaluate_steps": 12, "steps": 2, "semi_steps": 12}
    trained = training(FixMatch(**settings, **TINY), clip_world(broken=(5, 6))).train()
    assert np.isfinite(headline(trained))


def test_decoded_clips_are_remembered_up_to_the_limit() -> None:
    data = clip_world()
    inputs = ClipInputs(data, ClipAugmentation(), keep=3)
    groups = [np.array([0, 1]), np.array([2, 3])] * 3
    assert len(list(inputs.batches(groups, np.random.default_rng(0)))) == 6
    assert len(inputs.decoder(data.train).known) == 3
    assert data.train.frames.asked <= 3 + 3 + AHEAD * 2


def test_a_run_decodes_in_as_many_threads_as_it_has_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    data = clip_world()
    assert Supervised(**CLIP, **TINY).inputs(data).decoder(data.train).threads == 3
    assert Supervised(**CLIP, **TINY, decoders=5).inputs(data).decoder(data.test).threads == 5


def test_hardware_is_asked_for_where_clips_are_of_files() -> None:
    data, source = clip_world(), ClipSource(np.array(["a.mp4"]), np.array([40]))
    filmed = replace(data, train=replace(data.train, frames=source), test=replace(data.test, frames=source))
    for decoding, wanted in (("hardware", True), ("software", False)):
        inputs = Supervised(**CLIP, **TINY, decoding=decoding).inputs(filmed)
        assert [inputs.decoder(split).source.hardware for split in (filmed.train, filmed.test)] == [wanted] * 2
    generated = Supervised(**CLIP, **TINY, decoding="hardware").inputs(data)
    assert generated.decoder(data.train).source is data.train.frames


@pytest.mark.parametrize("head", ["linear", "relation"])
@pytest.mark.parametrize("kind", [FixMatch, MultiLabelSemiSupervised], ids=lambda kind: kind.name)
def test_pixels_to_scores_with_both_heads(kind: type[Method], head: str) -> None:
    trained = training(kind(**CLIP, **TINY, head=head, flip=0.0), clip_world()).train()
    assert np.isfinite(headline(trained))


def test_each_head_has_its_published_dropout() -> None:
    data = clip_world()
    settings = {name: value for name, value in TINY.items() if name != "dropout"}
    for head, published in (("linear", 0.5), ("relation", 0.2)):
        network = Supervised(**CLIP, **settings, head=head).network(data)
        rates = {module.p for module in network.modules() if isinstance(module, nn.Dropout)}
        assert rates == {published}, head


def test_relation_head_does_not_see_the_padding() -> None:
    torch.manual_seed(0)
    network = ActorDetector(3, width=4, blocks=[1, 1], alpha=2, beta_inverse=2, head="relation", dropout=0.0).eval()
    clip = torch.rand(1, 3, 4, 64, 64)
    boxes = torch.tensor([[0, 0.1, 0.1, 0.6, 0.6], [0, 0.3, 0.2, 0.9, 0.9]])
    wide = torch.cat([clip, torch.rand(1, 3, 4, 64, 64)], dim=4)
    half = boxes * torch.tensor([1, 0.5, 1, 0.5, 1])
    with torch.no_grad():
        cropped = network(wide, half, torch.tensor([[0.5, 1.0]]))
        whole = network(wide, half)
    assert not torch.allclose(cropped, whole)


@pytest.mark.parametrize("blocks", [(1, 1), (1, 1, 1), (1, 1, 1, 1)], ids=len)
def test_actors_are_pooled_where_they_are_at_any_depth(blocks: tuple[int, ...]) -> None:
    """A backbone of fewer stages has finer maps: the head must look at the same place of the picture."""
    torch.manual_seed(0)
    network = ActorDetector(3, width=4, blocks=blocks, alpha=2, beta_inverse=2, dropout=0.0).eval()
    maps = network.backbone(torch.rand(1, 3, 4, 128, 128))
    assert maps[0].shape[-1] * network.backbone.stride == 128
    lit = [torch.zeros_like(pathway) for pathway in maps]
    for pathway in lit:  # only the right lower quarter answers
        pathway[..., pathway.shape[-2] // 2 :, pathway.shape[-1] // 2 :] = 1
    pixels = torch.tensor([[0, 4.0, 4, 40, 40], [0, 84, 84, 120, 120]])
    features = network.head.features(*lit, pixels)
    assert features[0].abs().max() == 0
    torch.testing.assert_close(features[1], torch.ones_like(features[1]))


def test_whole_cells_of_a_share_that_single_precision_rounds_up() -> None:
    maps = torch.rand(2, 14, 22)
    for cells in range(1, 23):
        share = torch.tensor([cells * 16 / (22 * 16), 1.0], dtype=torch.float32)
        assert without_padding(maps, share).shape == (2, 14, cells)
    assert without_padding(maps, torch.tensor([340 / 352, 0.51])).shape == (2, 8, 22), "a cell that shows a part counts"


def test_frozen_batch_norm_keeps_its_statistics() -> None:
    network = SlowFast(4, (1, 1), 2, 2, frozen_bn=True).train()
    before = {name: value.clone() for name, value in network.named_buffers()}
    network(torch.rand(2, 3, 4, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())
    network = SlowFast(4, (1, 1), 2, 2).train()
    network(torch.rand(2, 3, 4, 32, 32))
    assert not torch.equal(network.s1.pathway0_stem.bn.running_mean, before["s1.pathway0_stem.bn.running_mean"])


def test_a_clip_without_people_gives_no_rows() -> None:
    assert boxes_with_owner(torch.rand(2, 2, 4), torch.tensor([2]))[:, 0].tolist() == [1]
    network = ActorDetector(3, width=4, blocks=[1, 1], alpha=2, beta_inverse=2, dropout=0.0).eval()
    assert network(torch.rand(1, 3, 4, 32, 32), torch.zeros(0, 5)).shape == (0, 3)


def test_boxes_outside_or_without_area_are_scored_like_any() -> None:
    network = ActorDetector(3, width=4, blocks=[1, 1], alpha=2, beta_inverse=2, dropout=0.0).eval()
    boxes = torch.tensor([[0, 0.5, 0.5, 0.5, 0.5], [0, 1.5, 1.5, 1.9, 1.9], [0, -0.5, -0.5, 0.2, 0.2]])
    assert torch.isfinite(network(torch.rand(1, 3, 4, 32, 32), boxes)).all()


def test_boxes_are_cut_to_the_picture_and_keep_their_place() -> None:
    data = clip_world()
    wild = data.train.box.copy()
    wild[0], wild[1] = [-0.5, 0.2, 1e9, 0.7], [1.2, 1.3, 1.4, 1.5]
    data = replace(data, train=replace(data.train, box=wild))
    part = drawn(ClipInputs(data, ClipAugmentation()), [0, 1])
    np.testing.assert_allclose(part["boxes"][0, 0], [0, 0.2, 0.8, 0.7], rtol=1e-6)
    assert part["boxes"][1, 0].tolist() == pytest.approx([1, 0.8, 1, 0.8]), "outside: no area, but still the first"
    trained = training(FixMatch(**CLIP, **TINY), data).train()
    assert np.isfinite(headline(trained))


def test_depth_in_words() -> None:
    with pytest.raises(UsageError, match="is not a depth"):
        training(Supervised(**CLIP, blocks="3-x"), clip_world()).train()
