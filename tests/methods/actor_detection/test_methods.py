"""The methods on a small planted world: they train, they differ where they should, they agree where they must."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from methods.actor_detection.actor_posterior import ActorPosterior
from methods.actor_detection.distribution_balanced import DistributionBalanced, clips_of_classes
from methods.actor_detection.fixmatch import FixMatch
from methods.actor_detection.flexmatch import FlexMatch
from methods.actor_detection.ideal_fixmatch import IdealFixMatch
from methods.actor_detection.multi_label_semi import EDGE, MultiLabelSemiSupervised
from methods.actor_detection.noisy_student import NoisyStudent
from methods.actor_detection.offline_resampling import OfflineResampling
from methods.actor_detection.parts.base import ActorMethod, labelled_clips, unlabelled_clips
from methods.actor_detection.parts.class_balancing import Balance
from methods.actor_detection.pseudo_label import PseudoLabel
from methods.actor_detection.supervised import Supervised
from suite.errors import UsageError
from suite.train.schedules import rate
from tests.methods.actor_detection.worlds import QUICK, headline, small_world, training

TRAINED = [
    Supervised,
    FixMatch,
    PseudoLabel,
    NoisyStudent,
    FlexMatch,
    MultiLabelSemiSupervised,
    OfflineResampling,
    DistributionBalanced,
    IdealFixMatch,
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worlds")


@pytest.mark.parametrize("kind", TRAINED, ids=lambda kind: kind.name)
def test_learns_from_a_tenth_of_the_labels(kind: type[ActorMethod], cache: Path) -> None:
    data = small_world(cache, labelled=0.25)
    trained = training(kind(**QUICK), data).train()
    chance = data.test.labels.mean(axis=0)[data.test.labels.any(axis=0)].mean()
    assert headline(trained) > 1.5 * chance
    assert headline(trained) < data.facts["ceilings"]["mAP"] + 0.05


@pytest.mark.parametrize("kind", [MultiLabelSemiSupervised, FlexMatch, NoisyStudent], ids=lambda kind: kind.name)
def test_same_seed_same_curves(kind: type[ActorMethod], cache: Path) -> None:
    data = small_world(cache)
    one, again = (training(kind(**QUICK), data).train() for _ in range(2))
    assert [repr(point) for point in one.curves] == [repr(point) for point in again.curves]


@pytest.mark.parametrize(
    "kind", [FixMatch, PseudoLabel, NoisyStudent, FlexMatch, MultiLabelSemiSupervised, OfflineResampling]
)
def test_nobody_unlabelled_is_an_error(kind: type[ActorMethod], cache: Path) -> None:
    data = small_world(cache, labelled=1.0, unlabelled=False)
    assert len(unlabelled_clips(data)) == 0
    with pytest.raises(UsageError, match=r"finds nobody unlabelled.*train supervised-actors"):
        training(kind(**QUICK), data)
    assert np.isfinite(headline(training(Supervised(**QUICK), data).train()))


def test_nuisance_that_strong_views_draw_anew_is_not_learned(cache: Path) -> None:
    """With few labels a network learns nuisance by heart, unless each view of a labelled person has another one."""
    data = small_world(cache, nuisance=20, nuisance_snr=20.0, snr=4.0, labelled=0.3)
    settings = {**QUICK, "steps": 150, "semi_steps": 150, "labelled_view": "strong", "strong_noise": 0.0, "masked": 0.0}
    fixed, anew = (headline(training(Supervised(**settings, redraw=redraw), data).train()) for redraw in (False, True))
    assert anew > fixed + 0.05


def test_ideal_pseudo_labels_are_right(cache: Path) -> None:
    data = small_world(cache)
    curves = training(IdealFixMatch(**QUICK), data).train().curves
    last = {c["metric"]: c["value"] for c in curves if c["split"] == "analysis"}
    assert last["pseudo-label precision"] == last["pseudo-label recall"] == 1.0
    people = data.train.labels[data.train.labelled].sum(axis=0)
    assert last["labelled people of the rarest class"] == people.min()
    assert last["labelled classes"] == (people > 0).mean()


def test_training_without_a_pseudo_label_is_noted(cache: Path) -> None:
    data = small_world(cache)
    for tau, expected in ((1.0, 1.0), (0.3, 0.0)):
        curves = training(FixMatch(**QUICK, tau_positive=tau), data).train().curves
        noted = [c["value"] for c in curves if (c["split"], c["metric"]) == ("analysis", "no pseudo-labels")]
        assert noted[-1] == expected


def test_flexmatch_keeps_the_last_confident_classes_of_a_person(cache: Path) -> None:
    data = small_world(cache)
    for reading in ("label-set", "single-label"):
        method = FlexMatch(**QUICK, reading=reading, tau_positive=0.8)
        run = training(method, data).run
        run.teacher = run.network = method.network(data)
        method.begin(run)
        rows = torch.from_numpy(np.flatnonzero(~data.train.labelled)[:2])
        sure = torch.full((2, len(data.classes)), 0.05)
        sure[0, 3] = 0.95
        before = method.thresholds(run)
        targets = method.pseudo_labels(sure, run.network, {"rows": rows}, run)
        floor = 0.0 if reading == "single-label" else method.tau_negative
        assert before.tolist() == pytest.approx([floor] * len(data.classes)), "the status before the batch"
        assert targets.labels[0].nonzero().flatten().tolist() == [3]
        after = method.thresholds(run)
        method.pseudo_labels(torch.full_like(sure, 0.4), run.network, {"rows": rows}, run)
        assert torch.equal(method.thresholds(run), after), "an unsure prediction erases nothing"


def test_thresholds_start_at_class_frequency_move_and_stay_inside(cache: Path) -> None:
    data = small_world(cache)
    method = MultiLabelSemiSupervised(**QUICK, threshold_speed=20.0)
    loop = training(method, data)
    start = method.network(data).thresholds.detach()
    counts = torch.from_numpy(data.train.labels[data.train.labelled].sum(axis=0)).clamp(min=1).double()
    torch.testing.assert_close(start.double(), 0.9 * (counts / counts.max()) ** 0.1, atol=1e-6, rtol=1e-6)
    trained = loop.train()
    end = trained.network.thresholds.detach()
    assert (end - 0.5).abs().mean() < (start - 0.5).abs().mean(), "the penalty draws them towards one half"
    assert ((end >= EDGE) & (end <= 1 - EDGE)).all()
    curves = [c for c in trained.curves if c["metric"].startswith("threshold: ")]
    assert {c["metric"] for c in curves} == {f"threshold: {name}" for name in data.classes}


def test_teacher_does_not_average_the_thresholds(cache: Path) -> None:
    method = MultiLabelSemiSupervised(**QUICK)
    loop = training(method, small_world(cache))
    loop.train()
    assert loop.run.teacher is not None
    assert not torch.equal(loop.run.teacher.model.classifier.weight, loop.run.network.model.classifier.weight)


def test_fixed_thresholds_stay_where_the_paper_has_them(cache: Path) -> None:
    data = small_world(cache)
    higher = MultiLabelSemiSupervised(**QUICK, thresholds="fixed", tau_fixed=0.7)
    assert higher.network(data).thresholds.tolist() == pytest.approx([0.7] * len(data.classes))
    trained = training(MultiLabelSemiSupervised(**QUICK, thresholds="fixed"), data).train()
    assert trained.network.thresholds.tolist() == [0.5] * len(data.classes)


def test_without_thresholds_and_balancing_it_is_fixmatch(cache: Path) -> None:
    data = small_world(cache)
    bare = training(MultiLabelSemiSupervised(**QUICK, thresholds="fixed", balancing=False), data).train()
    fixmatch = training(FixMatch(**QUICK), data).train()
    assert headline(bare) == pytest.approx(headline(fixmatch), abs=1e-9)


@pytest.mark.parametrize(
    "params",
    [
        {"preset": "literal"},
        {"preset": "exact"},
        {"thresholds": "class-related"},
        {"gate": "soft"},
        {"distribution": "unlabelled"},
        {"distribution": "unlabelled", "inferred": 0.2},
        {"keep_empty": False},
        {"mapping": "linear", "thresholds": "class-related", "clamp_thresholds": False},
        {"pose_softmax": True},
        {"evaluate_weights": "teacher"},
    ],
    ids=str,
)
def test_every_switch_trains(params: dict, cache: Path) -> None:
    trained = training(
        MultiLabelSemiSupervised(**{**QUICK, "steps": 30, "semi_steps": 30}, **params), small_world(cache)
    )
    assert np.isfinite(headline(trained.train()))


def test_literal_sampling_uses_almost_nobody(cache: Path) -> None:
    loop = training(MultiLabelSemiSupervised(**QUICK, preset="literal"), small_world(cache))
    trained = loop.train()
    last = {c["metric"]: c["value"] for c in trained.curves}
    kept = sum(value for name, value in last.items() if name.startswith("kept: "))
    given = sum(value for name, value in last.items() if name.startswith("pseudo: "))
    assert given > 0
    assert kept < 0.2 * given


def test_people_without_pseudo_labels_count_unless_dropped(cache: Path) -> None:
    data = small_world(cache)
    for keep in (True, False):
        method = MultiLabelSemiSupervised(**QUICK, keep_empty=keep)
        loop = training(method, data)
        loop.train()
        nobody, part = torch.zeros(5, len(data.classes)), {"uniform": torch.full((5,), 0.5)}
        assert method.sampled(nobody, part, method.balance(loop.run)).tolist() == [float(keep)] * 5


def test_mask_thins_frequent_classes_more(cache: Path) -> None:
    data = small_world(cache, classes=10)
    trained = training(MultiLabelSemiSupervised(**QUICK, tau_positive=0.3), data).train()
    last = {c["metric"]: c["value"] for c in trained.curves}
    most = data.classes[int(data.train.labels[data.train.labelled].sum(axis=0).argmax())]
    assert 0 < last[f"kept: {most}"] < last[f"pseudo: {most}"]


def test_hidden_labels_never_reach_the_loss(cache: Path) -> None:
    """Training is the same when the labels of unlabelled people are scrambled."""
    from dataclasses import replace

    data = small_world(cache)
    labels = np.array(data.train.labels)
    labels[~data.train.labelled] = ~labels[~data.train.labelled]
    other = replace(data, train=replace(data.train, labels=labels))
    for kind in (MultiLabelSemiSupervised, OfflineResampling, FlexMatch):
        one, two = (training(kind(**QUICK), world).train() for world in (data, other))
        assert headline(one) == headline(two), kind.name


def test_pseudo_label_has_a_teacher_that_stays(cache: Path) -> None:
    loop = training(PseudoLabel(**QUICK), small_world(cache))
    loop.train()
    loop.phases = loop.phases[:1]
    baseline = training(PseudoLabel(**QUICK), small_world(cache))
    baseline.phases = baseline.phases[:1]
    first = baseline.train().network.state_dict()
    assert all(torch.equal(value, first[name]) for name, value in loop.run.teacher.state_dict().items())


def test_noisy_student_has_two_rounds_within_the_budget(cache: Path) -> None:
    phases = NoisyStudent(**QUICK).phases(small_world(cache))
    assert [phase.name for phase in phases] == ["supervised", "round 1", "round 2"]
    assert sum(phase.steps for phase in phases[1:]) == QUICK["semi_steps"]
    assert all(phase.average.decay == 1.0 for phase in phases[1:])


def test_flexmatch_lowers_thresholds_of_classes_it_is_unsure_of(cache: Path) -> None:
    method = FlexMatch(**QUICK)
    loop = training(method, small_world(cache))
    loop.train()
    thresholds = method.thresholds(loop.run)
    assert thresholds.min() >= method.tau_negative
    assert thresholds.max() <= method.tau_positive
    confident = loop.run.memory["confident"].sum(dim=0)
    assert thresholds[confident.argmax()] == thresholds.max()


def test_offline_resampling_draws_rare_clips_more_often(cache: Path) -> None:
    data = small_world(cache)
    method = OfflineResampling(**QUICK)
    loop = training(method, data)
    loop.train()
    clips, chances = method.clip_chances(loop.run)
    assert chances.sum() == pytest.approx(1)
    assert set(clips) == set(unlabelled_clips(data))
    assert chances.max() > 1.5 * np.median(chances)


def test_clips_that_were_not_scored_before_the_phase_are_not_drawn(cache: Path) -> None:
    data = small_world(cache)
    method = OfflineResampling(**QUICK, inferred=0.25)
    loop = training(method, data)
    loop.train()
    clips, chances = method.clip_chances(loop.run)
    everyone = unlabelled_clips(data)
    assert len(clips) == math.ceil(0.25 * len(everyone)) and set(clips) < set(everyone)
    assert chances.sum() == pytest.approx(1)
    drawn = np.concatenate([next(method.unlabelled_stream(loop.run, np.random.default_rng(n))) for n in range(9)])
    assert set(drawn) <= set(clips)


def test_a_part_of_the_clips_gives_the_distribution_of_unlabelled_people(cache: Path) -> None:
    data, found = small_world(cache), {}
    for share in (1.0, 0.5):
        loop = training(MultiLabelSemiSupervised(**QUICK, distribution="unlabelled", inferred=share), data)
        loop.train()
        found[share] = loop.run.memory["balance labels"].double()
    assert len(found[0.5]) == pytest.approx(len(found[1.0]) / 2, rel=0.2)
    torch.testing.assert_close(found[0.5].mean(dim=0), found[1.0].mean(dim=0), atol=0.1, rtol=0)


def test_clips_of_classes_show_them(cache: Path) -> None:
    data = small_world(cache)
    assert all(np.isin(clips, labelled_clips(data)).all() for clips in clips_of_classes(data))


def test_posterior_is_the_ceiling_and_needs_a_planted_world(cache: Path) -> None:
    data = small_world(cache)
    assert headline(training(ActorPosterior(), data).train()) == pytest.approx(data.facts["ceilings"]["mAP"])
    from tests.methods.actor_detection.worlds import clip_world

    with pytest.raises(UsageError, match="no known posterior"):
        training(ActorPosterior(), clip_world()).train()


def test_balance_is_that_of_the_labelled_people(cache: Path) -> None:
    data = small_world(cache)
    method = MultiLabelSemiSupervised(**QUICK)
    loop = training(method, data)
    loop.train()
    expected = Balance.of(torch.from_numpy(data.train.labels[data.train.labelled]), 0.9, 0.05)
    torch.testing.assert_close(method.balance(loop.run).weights, expected.weights)


def test_six_epochs_of_acar(cache: Path) -> None:
    chosen = Supervised(schedule="acar", lr=0.8, steps=600, evaluate_steps=50)
    phase = chosen.phases(small_world(cache, labelled=0.25))[0]
    rates = [rate(phase.schedule, phase.optimizer.lr, step, 600, 50) for step in (0, 50, 100, 559, 560, 580, 599)]
    assert rates == pytest.approx([0.1, 0.45, 0.8, 0.8, 0.08, 0.008, 0.008])
