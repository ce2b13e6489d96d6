"""What every method of the task must bear: odd videos, videos without labels, absent classes, the same seed twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from suite.errors import DataError
from suite.registry import methods
from suite.tasks import task
from tests.methods.weak_localization.conftest import run_of, task_data, train, videos_of

SMALL = {"hidden": 8, "filter_hidden": 8, "positions": 20, "epochs": 3, "batch": 4}
NAMES = [name for name, method in methods().items() if method.task == "weak-localization"]
TRAINED = [name for name in NAMES if name != "snippet-oracle"]


def make(name: str, **params):
    method = methods()[name]
    return method(**{key: value for key, value in {**SMALL, **params}.items() if key in method.hypers})


def localized(method, data):
    run = run_of(method, data)
    train(method, run, 1)
    with torch.no_grad():
        return method.decode(method.score(run.network, data.test, run), data.test)


def check(found, data):
    assert np.isfinite(found.score).all()
    assert (found.end > found.start).all()
    assert ((found.video >= 0) & (found.video < len(data.test))).all()
    assert ((found.label >= 0) & (found.label < len(data.classes))).all()
    assert (found.start >= -1e-9).all()
    metrics = task("weak-localization").evaluate(found, data.test, data)
    assert 0 <= metrics[0].value <= 1


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("lengths", [[1, 2, 5], [30, 20, 19, 21, 300]], ids=["fewer than k", "around T"])
def test_short_and_long_videos(name, lengths):
    data = task_data(videos_of(lengths))
    check(localized(make(name), data), data)


@pytest.mark.parametrize("name", TRAINED)
def test_one_position_of_one_snippet(name):
    data = task_data(videos_of([1, 1, 1]))
    check(localized(make(name, positions=1), data), data)


@pytest.mark.parametrize("name", TRAINED)
def test_twenty_thousand_snippets(name):
    data = task_data(videos_of([20_000, 30, 40], width=4))
    check(localized(make(name), data), data)


@pytest.mark.parametrize("name", TRAINED)
def test_video_without_labels_and_class_without_video(name):
    labels = np.zeros((5, 3), bool)
    labels[[0, 1, 2, 3], [0, 0, 1, 1]] = True  # the last video shows nothing, the last class nobody
    data = task_data(videos_of([25, 30, 22, 40, 33], labels=labels))
    method = make(name)
    run = run_of(method, data)
    assert np.isfinite(train(method, run, 2)).all()
    for parameter in run.network.parameters():
        assert torch.isfinite(parameter).all()


@pytest.mark.parametrize("name", TRAINED)
def test_features_of_another_width_are_told_in_one_sentence(name):
    method, narrow, wide = make(name), task_data(videos_of([20, 30])), videos_of([20, 30], width=10)
    run = run_of(method, narrow)
    with pytest.raises(DataError, match="10 channels"), torch.no_grad():
        method.score(run.network, wide, run)


@pytest.mark.parametrize("name", TRAINED)
def test_the_same_seed_gives_the_same_bytes(name, planted):
    results = []
    for _ in range(2):
        method = make(name)
        run = run_of(method, planted, seed=3)
        torch.manual_seed(11)
        losses = train(method, run, 1)
        with torch.no_grad():
            scores = method.score(run.network, planted.test, run)
        results.append((losses, {key: value.tobytes() for key, value in scores.items()}))
    assert results[0] == results[1]


@pytest.mark.parametrize("name", TRAINED)
def test_every_parameter_that_should_learn_gets_a_gradient(name, planted):
    method = make(name)
    touched: set[str] = set()
    for phase in method.phases(planted):
        run = run_of(method, planted, phase)
        for epoch in range(2):
            run.epoch = epoch
            batch = next(iter(method.batches(run, np.random.default_rng(epoch))))
            sum(method.loss(run.network, batch, run).values()).backward()
        touched |= {name for name, p in run.network.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    # A hidden unit that never fires keeps its own weights still; whole tensors must move.
    assert touched == {name for name, _ in run.network.named_parameters()}


@pytest.mark.parametrize("name", TRAINED)
def test_losses_do_not_depend_on_hidden_truth(name, planted):
    """Swapping segments and oracle arrays for garbage must not change a training step."""
    from dataclasses import replace

    train_split = planted.train
    blind = replace(train_split, segments=train_split.segments.take(np.zeros(0, int)), oracle={})
    losses = []
    for samples in (train_split, blind):
        method = make(name)
        run = run_of(method, replace(planted, train=samples))
        torch.manual_seed(5)
        losses.append(train(method, run, 1))
    assert losses[0] == losses[1]


@pytest.mark.parametrize("name", TRAINED)
def test_a_split_without_videos(name):
    data = task_data(videos_of([20, 30, 25]))
    method = make(name)
    run = run_of(method, data)
    nobody = data.test.take(np.zeros(0, int))
    with torch.no_grad():
        assert len(method.decode(method.score(run.network, nobody, run), nobody)) == 0
