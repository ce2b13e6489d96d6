"""The arithmetic of ASL where the reference values do not reach: limits, edges, thinning, other rivals' losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.weak_localization import background_modelling, em_mil, wtalc
from methods.weak_localization.degraded import thinned
from methods.weak_localization.parts import peak_localizer, three_c_losses
from methods.weak_localization.parts.selection import (
    binary_cross_entropy,
    classification_loss,
    generalized_cross_entropy,
    select,
    selected_positions,
    top_k,
)


def example(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    actionness = torch.rand(4, 30, generator=generator, dtype=torch.float64) * 0.98 + 0.01
    return actionness, (torch.rand(4, 30, generator=generator) < 0.3).double()


def test_small_q_approaches_cross_entropy():
    actionness, mask = example()
    limit = binary_cross_entropy(actionness, mask)
    distances = [abs(float(generalized_cross_entropy(actionness, mask, q) - limit)) for q in (0.1, 0.01, 0.001)]
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 0.01


def test_q_of_one_is_mean_absolute_error():
    actionness, mask = example()
    inside = ((1 - actionness) * mask).sum(1) / mask.sum(1)
    outside = (actionness * (1 - mask)).sum(1) / (1 - mask).sum(1)
    assert float(generalized_cross_entropy(actionness, mask, 1.0)) == pytest.approx(
        float((inside + outside).mean()), abs=1e-6
    )


def test_each_sign_is_averaged_by_its_own_count():
    """Doubling the negatives of a video must not change the loss; a mean over all positions would."""
    actionness = torch.tensor([[0.9, 0.2, 0.2]])
    longer = torch.tensor([[0.9, 0.2, 0.2, 0.2, 0.2]])
    one = generalized_cross_entropy(actionness, torch.tensor([[1.0, 0, 0]]), 0.7)
    two = generalized_cross_entropy(longer, torch.tensor([[1.0, 0, 0, 0, 0]]), 0.7)
    assert float(one) == pytest.approx(float(two), abs=1e-6)


def test_fewer_positions_than_the_divisor_choose_one():
    assert top_k(torch.rand(2, 5, 3), 8).shape == (2, 1, 3)


def test_beta_of_zero_and_one_are_the_two_scores():
    score, actionness = torch.rand(2, 6, 3), torch.rand(2, 6, 2)
    assert torch.equal(select(score, actionness, 0.0), score)
    assert torch.allclose(select(score, actionness, 1.0), actionness.mean(-1, keepdim=True).expand_as(score))


def test_only_the_videos_own_classes_make_positives():
    chosen = torch.tensor([[[0, 1, 2]], [[3, 4, 5]]])
    labels = torch.tensor([[1.0, 0, 1], [0, 0, 0]])
    mask = selected_positions(chosen, labels, 6)
    assert mask.tolist() == [[1, 0, 1, 0, 0, 0], [0] * 6]


def test_a_video_without_labels_adds_nothing_to_the_classification_loss():
    logits, labels = torch.randn(2, 4), torch.tensor([[0.0, 1, 0, 0], [0, 0, 0, 0]])
    alone = classification_loss(logits[:1], labels[:1])
    assert float(classification_loss(logits, labels)) == pytest.approx(float(alone) / 2, abs=1e-6)


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.7])
def test_thinning_reaches_the_asked_share_of_action(rate):
    generator = torch.Generator().manual_seed(1)
    mask = (torch.rand(50, 400, generator=generator) < 0.4).float()
    action = (torch.rand(50, 400, generator=generator) < 0.8).float()
    kept = thinned(mask, action, rate, torch.rand(50, 400, generator=generator))
    assert float((kept * action).sum() / kept.sum()) == pytest.approx(rate, abs=0.02)
    assert torch.equal(kept * (1 - action), mask * (1 - action))
    assert torch.equal(thinned(mask, action * 0, rate, torch.rand(50, 400)), mask)


def test_top_share_mean_ignores_padding():
    activation = torch.tensor([[[1.0], [5.0], [3.0], [99.0]]])
    assert float(peak_localizer.top_share_mean(activation, torch.tensor([3]), 2)) == pytest.approx(4.0)
    assert float(peak_localizer.top_share_mean(activation, torch.tensor([1]), 8)) == pytest.approx(1.0)


def test_co_activity_is_zero_for_twins_and_the_margin_term_for_strangers():
    generator = torch.Generator().manual_seed(0)
    embedding = torch.zeros(2, 10, 4)
    embedding[:, :3, 0], embedding[:, 3:, 1] = 1.0, 1.0
    activation = torch.zeros(2, 10, 2)
    activation[:, :3, 0] = 20.0
    lengths, labels = torch.tensor([10, 10]), torch.tensor([[1.0, 0], [1, 0]])
    assert float(wtalc.co_activity_loss(activation, embedding, lengths, labels, 1, 0.5)) == pytest.approx(0.0, abs=1e-4)
    apart = torch.tensor([[1.0, 0], [0, 1]])
    assert float(wtalc.co_activity_loss(activation, embedding, lengths, apart, 1, 0.5)) == 0.0
    noise = torch.rand(2, 10, 4, generator=generator)
    assert float(wtalc.co_activity_loss(activation * 0, noise, lengths, labels, 1, 0.5)) > 0.3


def test_smoothing_keeps_constants_and_spreads_a_spike():
    flat = torch.full((1, 9, 2), 0.4)
    assert torch.allclose(background_modelling.smoothed(flat, 1.0), flat)
    spike = torch.zeros(1, 9, 1)
    spike[0, 4] = 1.0
    found = background_modelling.smoothed(spike, 1.0)[0, :, 0]
    assert found.argmax() == 4
    assert float(found.sum()) == pytest.approx(1.0, abs=1e-5)
    assert torch.allclose(found, found.flip(0))


def test_em_targets_look_at_a_videos_own_length():
    """The last position is padding: it counts neither in a mean nor in a range."""
    label = torch.tensor([[[0.9, 0.1], [0.1, 0.9], [0.1, 0.2], [9.0, 9.0]]])
    length = torch.tensor([3])
    one, both = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]])
    assert em_mil.key_target(label, length, one)[0, :3].tolist() == [1, 0, 0]
    assert em_mil.key_target(label, length, both)[0, :3].tolist() == [1, 1, 0]
    key = torch.tensor([[0.9, 0.5, 0.1, 9.0]])
    assert em_mil.label_target(key, length, one, 0.15)[0, :3].tolist() == [[1, 0], [0, 0], [0, 0]]


def test_em_losses_of_a_padded_batch_are_those_of_its_videos():
    generator = torch.Generator().manual_seed(0)
    probability = torch.rand(2, 7, 2, 3, generator=generator)
    target = (torch.rand(2, 7, 3, generator=generator) > 0.5).float()
    lengths, counted = torch.tensor([7, 4]), torch.ones(2)
    alone = [
        em_mil.stream_entropy(probability[i : i + 1, :n], target[i : i + 1, :n], torch.tensor([n]), torch.ones(1))
        for i, n in enumerate(lengths.tolist())
    ]
    torch.testing.assert_close(em_mil.stream_entropy(probability, target, lengths, counted), sum(alone) / 2)
    first = em_mil.stream_entropy(probability, target, lengths, torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(first, alone[0])


def test_em_turns_begin_with_an_expectation():
    method = em_mil.EMMIL(preset="published")
    names = [(phase.name, phase.epochs, phase.optimizer.lr) for phase in method.phases(None)]
    assert names == [
        ("video", 45, 1e-4),
        ("label", 10, 1e-4),
        ("key", 10, 1e-4),
        ("label-from-keys", 10, 4e-4),
        ("turns", 35, 4e-4),
    ]
    assert [phase.fresh_optimizer for phase in method.phases(None)] == [True, True, False, False, False]
    assert all(phase.optimizer.weight_decay == 0 for phase in method.phases(None))


@pytest.mark.parametrize("form", three_c_losses.CENTRE_FORMS)
def test_centres_move_toward_the_features_of_their_class(form):
    features, centres = torch.ones(2, 2, 3, 4), torch.zeros(2, 3, 4)
    labels = torch.tensor([[0.0, 1, 0], [0, 1, 0]])
    moved = centres - 0.25 * three_c_losses.centre_gradient(features, centres, labels, form)
    assert torch.allclose(moved[:, 1], torch.full((2, 4), {"mean": 0.5, "released": 0.25}[form]))
    assert not moved[:, [0, 2]].any()
    before, after = (float(three_c_losses.centre_loss(features, c, labels, form)) for c in (centres, moved))
    assert after < before


def test_the_released_centre_loss_forgets_the_first_class():
    features, centres = torch.ones(1, 2, 3, 4), torch.zeros(2, 3, 4)
    found = {
        form: [float(three_c_losses.centre_loss(features, centres, torch.eye(3)[c : c + 1], form)) for c in range(3)]
        for form in three_c_losses.CENTRE_FORMS
    }
    assert found["mean"] == [8.0, 8.0, 8.0]
    assert found["released"] == pytest.approx([0.0, 8.0, 16.0], abs=1e-9)


def test_predicted_counts_are_judged_relative_to_their_size():
    features = torch.tensor([[[1.0, 5.0, 0.5], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]])
    counts = torch.tensor([[1.0, 2.0, 0.0]])
    found = three_c_losses.count_loss(features, counts, torch.tensor([3]), 0.1)
    assert float(found) == pytest.approx(2 / 1 + 3 / 2 + 0.1 * 0.5)
    full = three_c_losses.count_loss(features, torch.tensor([[3.0, 2.0, 0.0]]), torch.tensor([3]), 0.1)
    assert float(full) == pytest.approx(0.1 * 3 + 3 / 2 + 0.1 * 0.5)  # as many instances as snippets: not believed


def test_below_average_attention_is_removed_and_padding_never_counts():
    streams, embedding = torch.zeros(1, 4, 1, 1), torch.zeros(1, 4, 1, 1)
    streams[0, :, 0, 0] = torch.tensor([5.0, 0.0, 0.0, 50.0])
    embedding[0, :, 0, 0] = torch.tensor([1.0, 2.0, 3.0, 99.0])
    assert float(three_c_losses.attended_features(streams, embedding, torch.tensor([3]))) == pytest.approx(1.0)
    assert np.isfinite(three_c_losses.attended_features(streams, embedding, torch.tensor([1])).numpy()).all()
