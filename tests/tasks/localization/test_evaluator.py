"""The localization tasks: metrics by threshold and class under a dataset's protocol."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from suite.errors import UsageError
from suite.evaluate.segments import Segments
from suite.tasks import task
from suite.tasks.localization.evaluator import protocol_of
from tests.methods.weak_localization.conftest import task_data, videos_of


def perfect(samples):
    truth = samples.segments
    return Segments(truth.video, truth.label, truth.start, truth.end, np.ones(len(truth)))


def data_with(protocol, lengths=(20, 30, 40, 50)):
    return replace(task_data(videos_of(list(lengths))), facts={"protocol": protocol})


@pytest.mark.parametrize("name", ["weak-localization", "semi-localization"])
def test_perfect_detections_score_one_everywhere(name):
    data = data_with({"tiou": [0.3, 0.5]})
    metrics = task(name).evaluate(perfect(data.test), data.test, data)
    assert task(name).headline_of(metrics) == 1.0
    assert {m.threshold for m in metrics if m.metric == "mAP"} == {None, 0.3, 0.5}
    assert {m.label for m in metrics if m.metric == "AP"} == set(data.classes)
    assert all(m.value == 1.0 for m in metrics)


def test_nothing_found_scores_zero():
    data = data_with({"tiou": [0.5]})
    for nothing in (Segments.empty(), Segments.empty(scored=True)):
        metrics = task("weak-localization").evaluate(nothing, data.test, data)
        assert task("weak-localization").headline_of(metrics) == 0.0


def test_excluded_videos_count_for_nothing():
    data = data_with({"tiou": [0.5], "excluded_videos": ["video3"]})
    found = perfect(data.test)
    without = found.take(found.video != 3)
    assert task("weak-localization").headline_of(task("weak-localization").evaluate(without, data.test, data)) == 1.0


def test_a_protocol_is_a_named_one_with_switches_over_it():
    protocol = protocol_of({"temporal": "thumos-210", "tiou": [0.5]})
    assert protocol.tiou == (0.5,)
    assert "video_test_0001292" in protocol.excluded_videos
    with pytest.raises(UsageError, match="did you mean 'matching'"):
        protocol_of({"matchng": "best"})
