"""The actor-detection task: frame mAP of class scores a box, by protocol, by group, by class."""

from __future__ import annotations

import numpy as np
import pytest

from suite.errors import UsageError
from suite.tasks import task
from suite.tasks.actors.evaluator import evaluate, protocol_of
from suite.tasks.actors.samples import Actors, ActorScores
from suite.tasks.actors.tables import BoxTable, assemble
from suite.tasks.data import TaskData


def actors(boxes: list[list[float]], labels: list[list[int]], seconds: list[float]) -> BoxTable:
    count = len(boxes)
    video = np.full(count, "v")
    return BoxTable(video, np.array(seconds), np.array(boxes), np.array(labels, dtype=bool), np.ones(count))


def world(samples: Actors, **facts: object) -> TaskData[Actors]:
    return TaskData("toy", "actor-detection", ("a", "b", "c"), samples, samples, samples, facts=facts)


TRUTH = actors(
    [[0.1, 0.1, 0.4, 0.9], [0.6, 0.1, 0.9, 0.9], [0.1, 0.1, 0.4, 0.9]], [[1, 0, 0], [1, 1, 0], [0, 1, 0]], [1, 1, 2]
)


def value(metrics: list, name: str, label: str = "") -> float:
    return next(m.value for m in metrics if m.metric == name and m.label == label)


def test_perfect_scores_on_annotated_boxes() -> None:
    samples = assemble(TRUTH)
    metrics = evaluate(ActorScores(samples.labels.astype(float)), samples, world(samples))
    assert value(metrics, "mAP") == 1
    assert {m.label for m in metrics if m.metric == "AP"} == {"a", "b"}, "c has no annotation, hence no AP"


def test_a_wrong_order_costs_precision() -> None:
    samples = assemble(TRUTH)
    scores = np.array([[0.9, 0.9, 0.1], [0.8, 0.8, 0.1], [0.1, 0.7, 0.1]])
    metrics = evaluate(ActorScores(scores), samples, world(samples, groups={"head": [0], "tail": [1, 2]}))
    assert value(metrics, "AP", "a") == 1
    assert value(metrics, "AP", "b") == pytest.approx(2 / 3), "hits at ranks 2 and 3: precision 2/3 from the envelope"
    assert value(metrics, "mAP head") == 1
    assert value(metrics, "mAP tail") == pytest.approx(2 / 3)


def test_detected_boxes_must_overlap_the_annotated_ones() -> None:
    found = actors([[0.12, 0.1, 0.4, 0.9], [0.0, 0.0, 0.1, 0.1]], [[0, 0, 0]] * 2, [1, 2])
    samples = assemble(found, TRUTH)
    metrics = evaluate(ActorScores(np.ones((2, 3))), samples, world(samples))
    assert value(metrics, "AP", "a") == pytest.approx(0.5), "one of two people who do a is found"


def test_boxes_in_pixels_and_protocols_by_name() -> None:
    samples = assemble(TRUTH)
    facts = {"pixels": [320, 240], "protocol": {"spatial": "ucf-annotated"}}
    assert value(evaluate(ActorScores(samples.labels.astype(float)), samples, world(samples, **facts)), "mAP") == 1
    assert protocol_of({"spatial": "ava", "iou": 0.75}).iou == 0.75
    with pytest.raises(UsageError, match="no switch of frame mAP"):
        protocol_of({"overlap": 0.5})


def test_boxes_without_a_score_are_counted() -> None:
    samples = assemble(TRUTH)
    scores = samples.labels.astype(float)
    assert not [m for m in evaluate(ActorScores(scores), samples, world(samples)) if m.metric == "boxes without score"]
    scores[0] = 0
    metrics = evaluate(ActorScores(scores), samples, world(samples))
    assert value(metrics, "boxes without score") == 1
    assert value(metrics, "AP", "a") == pytest.approx(0.5), "the lost person counts as missed"


def test_the_registry_knows_the_task() -> None:
    assert task("actor-detection").headline == "mAP"
