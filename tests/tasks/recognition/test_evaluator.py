"""The recognition task: rank metrics of logits, set metrics at 0.5 and at a method's own threshold, groups, classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from suite.evaluate import multilabel
from suite.tasks import Metric, task
from suite.tasks.data import TaskData
from suite.tasks.recognition.evaluator import ORACLE, RECALL, evaluate
from suite.tasks.recognition.label_count import label_ranks, mean_label_count
from suite.tasks.recognition.samples import Clips, ClipScores
from suite.tasks.recognition.scoring.intervals import clip_intervals
from suite.tasks.recognition.scoring.thresholds import OWN, by_threshold

TRUTH = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 1, 0]], dtype=bool)
CLASSES = ("cut", "slice", "wash", "never")


def clips(truth: np.ndarray = TRUTH) -> Clips:
    ids = np.array([f"clip-{i}" for i in range(len(truth))])
    return Clips(ids, np.zeros((len(truth), 2)), truth.argmax(axis=1), truth, ids)


def world(**facts: object) -> TaskData[Clips]:
    return TaskData("toy", "recognition", CLASSES, clips(), clips(), clips(), facts=facts)


def value(metrics: list[Metric], name: str, label: str = "", threshold: float | None = None) -> float:
    return next(m.value for m in metrics if (m.metric, m.label, m.threshold) == (name, label, threshold))


def test_perfect_scores() -> None:
    metrics = evaluate(ClipScores(np.where(TRUTH, 4.0, -4.0)), clips(), world(cardinality=1.5))
    for name in ("top-set", "top-1", "mAP", "IoU own threshold", "F1 own threshold", RECALL, *ORACLE):
        assert value(metrics, name) == 1, name
    assert value(metrics, "IoU", threshold=0.5) == value(metrics, "F1", threshold=0.5) == 1
    assert task("recognition").headline_of(metrics) == 1


def test_set_metrics_use_the_threshold_that_the_method_names() -> None:
    logits = np.where(TRUTH, 3.0, 0.5)  # probabilities 0.95 and 0.62: everything is predicted at 0.5
    metrics = evaluate(ClipScores(logits, threshold=0.75), clips(), world())
    assert value(metrics, "IoU own threshold") == 1
    assert value(metrics, "IoU", threshold=0.5) == pytest.approx(TRUTH.sum(axis=1).mean() / 4)


def test_groups_and_classes() -> None:
    logits = np.random.default_rng(0).normal(size=TRUTH.shape)
    metrics = evaluate(ClipScores(logits), clips(), world(groups={"head": [0, 1], "tail": [2, 3]}))
    assert value(metrics, "top-1 head") == multilabel.grouped_top1(logits, TRUTH, [0, 1])
    expected = multilabel.grouped_iou(multilabel.probabilities(logits), TRUTH, [2, 3])
    assert value(metrics, "IoU tail", threshold=0.5) == expected
    areas = {m.label: m.value for m in metrics if m.metric == "AP"}
    assert set(areas) == {"cut", "slice", "wash"}, "a class without a clip has no AP"
    assert value(metrics, "mAP") == pytest.approx(np.mean(list(areas.values())))


def test_a_group_without_clips_is_left_out() -> None:
    metrics = evaluate(ClipScores(np.zeros(TRUTH.shape)), clips(), world(groups={"tail": [3]}))
    assert not [m for m in metrics if "tail" in m.metric]


def test_single_labels_make_top_set_plain_accuracy() -> None:
    truth = np.eye(4, dtype=bool)[[0, 1, 2, 3, 0]]
    logits = np.random.default_rng(1).normal(size=truth.shape)
    metrics = evaluate(ClipScores(logits), clips(truth), world())
    accuracy = np.mean(logits.argmax(axis=1) == truth.argmax(axis=1))
    assert value(metrics, "top-set") == value(metrics, "top-1") == pytest.approx(accuracy)


KNOWN = np.array([[1, 1, 0, 1], [0, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 0]], dtype=bool)


def unsaid() -> Clips:
    """Clips of which some labels are unknown: of the third, the only one there is."""
    return replace(clips(TRUTH & KNOWN), known=KNOWN, label=np.array([0, 1, 3, 0]))


def test_unknown_labels_have_no_part_and_known_ones_are_counted() -> None:
    logits = np.where(TRUTH, 3.0, -3.0)
    logits[~KNOWN] = 9.0  # whatever is predicted there
    metrics = evaluate(ClipScores(logits), unsaid(), world(groups={"head": [0, 1], "tail": [2, 3]}))
    for name in ("top-set", "top-1", "mAP", "IoU own threshold", "IoU oracle threshold", "top-1 head"):
        assert value(metrics, name) == 1, name
    assert {m.label: m.value for m in metrics if m.metric == "known"} == {"cut": 3, "slice": 3, "wash": 2, "never": 3}
    assert not [m for m in evaluate(ClipScores(logits), clips(), world()) if m.metric == "known"]
    logits[0, :2] = -3.0  # one clip of the three that show a known label
    assert value(evaluate(ClipScores(logits), unsaid(), world()), "IoU", threshold=0.5) == pytest.approx(2 / 3)


def test_shortcuts_and_intervals_agree_with_the_evaluator() -> None:
    logits, samples = np.random.default_rng(0).normal(size=TRUTH.shape), unsaid()
    wanted = [("IoU own threshold", None), ("F1 own threshold", None)]
    many = [ClipScores(logits, threshold) for threshold in (0.2, 0.5, 0.7)]
    quick = by_threshold(many, samples, wanted)
    assert quick is not None
    for row, one in zip(quick, many, strict=True):
        metrics = evaluate(one, samples, world())
        np.testing.assert_allclose(row, [value(metrics, name) for name, _ in wanted])
    rows = [{"metric": m.metric, "label": m.label, "threshold": m.threshold, "value": m.value} for m in metrics]
    for row in clip_intervals(rows, many[-1], samples, 50):
        if row["metric"] in ("top-1", "IoU", "F1 own threshold"):
            assert row["low"] <= row["value"] <= row["high"]
        assert ("low" in row) is (row["metric"] in ("top-set", "top-1", "IoU", "F1", *OWN))


def test_validation_decides_the_calibrated_threshold_and_test_only_receives() -> None:
    data = world(cardinality=1.5)
    logits = np.where(TRUTH, 2.0, -2.0) + np.linspace(0, 0.1, TRUTH.size).reshape(TRUTH.shape)
    shifted = logits - 5.0  # test scores lie lower, as those of a badly calibrated network on other data
    both = task("recognition").calibrated({"validation": ClipScores(logits), "test": ClipScores(shifted)}, data)
    assert both["test"].calibrated == both["validation"].calibrated == np.sort(logits, axis=None)[-6]
    assert (logits >= both["validation"].calibrated).sum(axis=1).mean() == 1.5
    assert value(evaluate(both["validation"], clips(), data), "IoU calibrated") == 1
    metrics = evaluate(both["test"], clips(), data)
    assert value(metrics, "IoU calibrated") == value(metrics, "F1 calibrated") == 0
    assert value(metrics, "IoU oracle threshold") == value(metrics, "F1 oracle threshold") == 1
    # Labels have no part in the choice: with others the threshold is the same.
    other = replace(data, validation=clips(~TRUTH), test=clips(~TRUTH))
    again = task("recognition").calibrated({"validation": ClipScores(logits), "test": ClipScores(shifted)}, other)
    assert again["test"].calibrated == both["test"].calibrated


@pytest.mark.parametrize("facts", [{}, {"complete": ["train", "test"]}])
def test_without_a_stated_label_count_nothing_is_calibrated(facts: dict[str, object]) -> None:
    data = world(**facts)
    scores = task("recognition").calibrated({"validation": ClipScores(np.zeros(TRUTH.shape))}, data)["validation"]
    metrics = evaluate(scores, clips(), data)
    assert not [m for m in metrics if "calibrated" in m.metric]
    assert value(metrics, RECALL) == pytest.approx(np.mean([1 / 2, 0, 0, 1 / 2])), "one class counts, the first of ties"


@pytest.mark.parametrize(
    ("facts", "count", "ranks"),
    [
        ({"cardinality": 2.0000000000000004}, 2.0, 2),
        ({"cardinality": 2.1}, 2.1, 3),
        ({"cardinality": 9.0}, 9.0, 4),
        ({"complete": ["validation"]}, 1.5, 2),
    ],
)
def test_the_mean_label_count_is_stated_or_seen(facts: dict[str, object], count: float, ranks: int) -> None:
    assert mean_label_count(world(**facts)) == pytest.approx(count)
    assert label_ranks(world(**facts)) == ranks


def test_recall_at_the_label_count_tells_apart_what_accuracy_cannot() -> None:
    single = np.eye(4, dtype=bool)[[1, 1, 2, 2]]  # one annotated label; the clips also show the class before it
    second = np.array([[3.0, 2.0, -3, -3], [3.0, 2.0, -3, -3], [-3, 3.0, 2.0, -3], [-3, 3.0, 2.0, -3]])
    far = np.array([[3.0, -3, 2.0, 2.0], [3.0, -3, 2.0, 2.0], [-3, 3.0, -3, 2.0], [-3, 3.0, -3, 2.0]])
    found = [evaluate(ClipScores(one), clips(single), world(cardinality=2.0)) for one in (second, far)]
    assert [value(metrics, "top-1") for metrics in found] == [0, 0]
    assert [value(metrics, RECALL) for metrics in found] == [1, 0]
