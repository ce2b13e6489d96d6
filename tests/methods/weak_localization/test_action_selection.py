"""ASL as a method: presets, schedules, ablations, what it learns on a planted world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from methods.weak_localization.action_selection import ActionSelection
from methods.weak_localization.parts.networks import SnippetScores
from methods.weak_localization.snippet_oracle import SnippetOracle
from methods.weak_localization.topk_mil import TopKMIL
from suite.errors import DataError, UsageError
from suite.tasks import task
from tests.methods.weak_localization.conftest import run_of, task_data, train, videos_of

SPLITS = ("train", "validation", "test")
SMALL = {"hidden": 16, "positions": 60, "batch": 4}


def scored(method, data, epochs=0):
    run = run_of(method, data)
    if epochs:
        train(method, run, epochs)
    with torch.no_grad():
        scores = method.score(run.network, data.test, run)
    return run, scores


def mean_ap(method, scores, data) -> float:
    return task("weak-localization").evaluate(method.decode(scores, data.test), data.test, data)[0].value


def test_presets_name_every_difference_between_paper_and_code():
    published, literal = (ActionSelection(preset=name).params for name in ("published", "literal"))
    assert (published["beta"], literal["beta"]) == (pytest.approx(2 / 3), 0.5)
    different = {name for name in published if published[name] != literal[name]} - {"preset"}
    assert different >= {
        "weight_decay", "actionness", "beta", "class_score", "sampling", "thresholds", "strict", "nms", "nms_plus",
        "outer",
    }  # fmt: skip
    assert ActionSelection(preset="literal", beta=0.3).beta == 0.3


def test_recommended_differs_from_the_released_code_by_the_warm_up_alone():
    recommended, published = ActionSelection().params, ActionSelection(preset="published").params
    assert recommended["preset"] == "recommended"
    assert {name for name in published if published[name] != recommended[name]} == {"warm_epochs", "preset"}
    assert ActionSelection.published_selection == "oracle"
    assert "asl" in ActionSelection.aliases


@pytest.mark.parametrize("preset", ["recommended", "published", "literal"])
def test_it_learns_where_nothing_misleads(preset, clear):
    method = ActionSelection(preset=preset, hidden=16, positions=100, batch=8)
    run = run_of(method, clear, phase=method.phases(clear)[-1])
    losses = train(method, run, 15, lr=1e-2)
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    with torch.no_grad():
        found = mean_ap(method, method.score(run.network, clear.test, run), clear)
    assert found > 0.1  # chance is below 0.01
    analysed = method.analyses(run)
    assert analysed["T_pos purity"] > 1.3 * analysed["action rate"]
    assert analysed["precision@100 of 750"] > 1.3 * analysed["action rate"]
    assert analysed["collapsed"] == 0


def test_warm_epochs_train_the_classifier_alone_by_its_own_score(planted):
    method = ActionSelection(**SMALL, epochs=8, warm_epochs=3)
    alone, joint = method.phases(planted)
    assert (alone.epochs, joint.epochs, alone.trainable, joint.trainable) == (3, 5, ("classifier",), ())
    assert not alone.select
    assert joint.select
    assert not joint.fresh_optimizer
    run = run_of(method, planted, alone)
    batch = next(iter(method.batches(run, np.random.default_rng(0))))
    scores = method.outputs(run.network, batch, run)
    torch.testing.assert_close(method.training_selection(scores, run), scores.logits.softmax(-1))
    run.phase = joint
    assert torch.equal(method.training_selection(scores, run), method.selection(scores))
    assert [len(ActionSelection(epochs=8, warm_epochs=w).phases(planted)) for w in (0, 1)] == [1, 2]
    assert [p.epochs for p in ActionSelection(epochs=6, warm_epochs=50).phases(planted)] == [3, 3]


def test_the_two_readings_of_the_class_score_in_eq_6():
    """Positions may be chosen by raw activations while probabilities localize."""
    logits, actionness = torch.randn(2, 9, 4), torch.rand(2, 9, 2)
    scores = SnippetScores(logits, actionness)
    mean = actionness.mean(-1, keepdim=True)
    raw = ActionSelection(selection_score="cas", beta=0.5)
    torch.testing.assert_close(raw.selection(scores), 0.5 * mean + 0.5 * logits)
    assert raw.class_score == "softmax"
    plain = ActionSelection(beta=0.5)
    torch.testing.assert_close(plain.selection(scores), 0.5 * mean + 0.5 * logits.softmax(-1))


def test_inverted_actionness_is_called_collapsed(planted):
    method = ActionSelection(**SMALL, warm_epochs=0)
    run = run_of(method, planted)
    train(method, run, 8)
    good = method.analyses(run)
    for net in run.network.actionness.values():  # a' = 1 - a
        with torch.no_grad():
            net[-1].weight.neg_()
            net[-1].bias.neg_()
    bad = method.analyses(run)
    assert bad["G AUC"] == pytest.approx(1 - good["G AUC"], abs=1e-6)
    assert {good["collapsed"], bad["collapsed"]} == {0.0, 1.0}


def test_nothing_is_said_of_actionness_before_it_learned(planted):
    method = ActionSelection(**SMALL, epochs=8, warm_epochs=3)
    run = run_of(method, planted, method.phases(planted)[0])
    assert {"collapsed", "G AUC", "G accuracy"}.isdisjoint(method.analyses(run))


def test_analyses_without_a_truth_say_what_needs_none(planted):
    nothing = planted.train.segments.take(np.zeros(0, int))
    blind = replace(planted, **{s: replace(planted.split(s), segments=nothing, oracle={}) for s in SPLITS})
    method = ActionSelection(**SMALL, warm_epochs=0)
    run = run_of(method, blind, replace(method.phases(blind)[0], evaluate_every=1))
    method.begin_epoch(run)
    assert set(method.analyses(run)) == {"G accuracy", "G majority", "T_pos stability", "T_pos stability deviation"}


def test_the_ceiling_is_above_what_is_learned(clear):
    ceiling = SnippetOracle(positions=100)
    _, known = scored(ceiling, clear)
    learner = TopKMIL(hidden=16, positions=100, batch=8)
    _, learned = scored(learner, clear, epochs=15)
    assert mean_ap(ceiling, known, clear) > mean_ap(learner, learned, clear) > 0.05


def test_the_posterior_ceiling_needs_a_planted_world():
    with pytest.raises(UsageError, match="knows=truth"):
        scored(SnippetOracle(), task_data(videos_of([20, 30])))
    scored(SnippetOracle(knows="truth"), task_data(videos_of([20, 30])))


def test_localizing_by_another_score_needs_no_training(planted):
    base = ActionSelection(**SMALL)
    _, scores = scored(base, planted, epochs=4)
    found = {
        by: ActionSelection(**SMALL, localize_by=by).decode(scores, planted.test)
        for by in ("fused", "class", "actionness")
    }
    assert len({segments.score.tobytes() for segments in found.values()}) == 3
    actionness = found["actionness"]
    for video in np.unique(actionness.video):
        assert len(np.unique(actionness.label[actionness.video == video])) == 1
    assert np.array_equal(found["fused"].start, base.decode(scores, planted.test).start)


@pytest.mark.parametrize("schedule", ["sequential", "alternating"])
def test_a_phase_moves_one_net_alone_and_each_gets_its_epochs(schedule, planted):
    method = ActionSelection(**SMALL, schedule=schedule, epochs=5, f_epochs=2, g_epochs=3)
    phases = method.phases(planted)
    for part in ("classifier", "actionness"):
        assert sum(phase.epochs for phase in phases if phase.name == part) == 5
    assert [phase.fresh_optimizer for phase in phases] == [True, schedule == "sequential", *[False] * (len(phases) - 2)]
    for phase in phases[:2]:
        assert phase.trainable == (phase.name,)
        run = run_of(method, planted, phase)
        batch = next(iter(method.batches(run, np.random.default_rng(0))))
        sum(method.loss(run.network, batch, run).values()).backward()
        moved = {name.split(".")[0] for name, p in run.network.named_parameters() if p.grad is not None}
        assert moved == {phase.name}


def test_interpolated_and_index_sampling_agree_when_nothing_is_resampled():
    data = task_data(videos_of([40, 40, 40]))
    outputs = []
    for sampling in ("index", "interpolation"):
        method = ActionSelection(hidden=8, positions=40, sampling=sampling)
        _, scores = scored(method, data)
        outputs.append(scores)
    for name in ("class_score", "actionness", "probability"):
        np.testing.assert_allclose(outputs[0][name], outputs[1][name], atol=1e-6)


def test_two_streams_need_an_even_width():
    data = task_data(videos_of([20, 20], width=7))
    with pytest.raises(DataError, match="actionness='single'"):
        ActionSelection().network(data)
    assert ActionSelection(actionness="single").network(data)(torch.zeros(3, 7)).actionness.shape == (3, 1)


def test_analyses_are_shares_and_need_no_network_change(planted):
    method = ActionSelection(**SMALL, warm_epochs=0)
    run, _ = scored(method, planted, epochs=2)
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    first = method.analyses(run)
    run.epoch, run.phase = 3, replace(run.phase, evaluate_every=4)
    method.begin_epoch(run)
    second = method.analyses(run)
    assert all(torch.equal(before[name], value) for name, value in run.network.state_dict().items())
    assert "T_pos stability" not in first
    assert second["T_pos stability"] == 1.0
    assert all(0 <= value <= 1 for value in second.values())
    assert second["G majority"] >= 0.5
    assert second["T_pos purity"] <= second["T_pos purity ceiling"] + 1e-9


def test_stability_compares_consecutive_epochs(planted):
    """T_pos is kept at the start of the last epoch before an evaluation point, whatever lies between two points."""
    method = ActionSelection(**SMALL, warm_epochs=0, epochs=6, evaluate_every=4)
    run = run_of(method, planted)
    kept = []
    for epoch in range(6):
        run.epoch = epoch
        run.memory.clear()
        method.begin_epoch(run)
        kept.append("t_pos" in run.memory)
    assert kept == [False, False, False, True, False, True]


def test_dropping_a_class_from_training_leaves_it_unfound(planted):
    shown = np.array(planted.train.video_labels)
    shown[:, 3] = False
    data = replace(planted, train=replace(planted.train, video_labels=shown))
    method = TopKMIL(**SMALL)
    _, scores = scored(method, data, epochs=10)
    found = method.decode(scores, data.test)
    assert (found.label == 3).mean() < 0.2
