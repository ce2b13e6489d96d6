"""Multi-label metrics against the reference implementation."""

from __future__ import annotations

import numpy as np
import pytest

from suite.evaluate import multilabel
from tests.golden import close, golden

TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def data():
    return golden("multilabel_metrics.npz")


def cases() -> list[str]:
    try:
        keys = golden("multilabel_metrics.npz")
    except pytest.skip.Exception:
        return []
    return sorted({key.split("__")[0] for key in keys if key.endswith("__logits")})


@pytest.fixture(params=cases())
def case(data, request):
    prefix = f"{request.param}__"
    return {key.removeprefix(prefix): value for key, value in data.items() if key.startswith(prefix)}


RANKED = {
    "top1_multilabel_accuracy": (multilabel.top1_accuracy, "top1_tie_bounds"),
    "topset_multilabel_accuracy": (multilabel.top_set_accuracy, "topset_tie_bounds"),
}


def has_ties(logits) -> bool:
    ordered = np.sort(logits, axis=1)
    return bool((ordered[:, 1:] == ordered[:, :-1]).any())


@pytest.mark.parametrize("name", RANKED)
def test_ranked_accuracies(case, name):
    metric, bounds = RANKED[name]
    value = metric(case["logits"], case["multi_hot"])
    if has_ties(case["logits"]):
        worst, best = case[bounds]
        assert worst - TOLERANCE <= value <= best + TOLERANCE
    else:
        close(value, case[name], TOLERANCE)


def test_top_any(case):
    if not has_ties(case["logits"]):
        value = multilabel.top_any_accuracy(case["logits"], case["multi_hot"])
        close(value, case["topk_any_multilabel_accuracy"], TOLERANCE)
    assert multilabel.top_any_accuracy(case["multi_hot"], case["multi_hot"]) == 1.0


def test_iou_and_f1_at_any_threshold(case):
    probability = multilabel.probabilities(case["logits"])
    for name, metric in (("iou_accuracy", multilabel.iou_accuracy), ("f1_measure", multilabel.f1_measure)):
        close(metric(probability, case["multi_hot"]), case[name], TOLERANCE)
        for key in (key for key in case if key.startswith(f"{name}_thr")):
            threshold = float(key.removeprefix(f"{name}_thr"))
            close(metric(probability, case["multi_hot"], threshold), case[key], TOLERANCE)
    close(multilabel.iou_per_clip(probability, case["multi_hot"]), case["iou_per_clip"], TOLERANCE)
    close(multilabel.f1_per_clip(probability, case["multi_hot"]), case["f1_per_clip"], TOLERANCE)


def test_average_precision(case):
    probability = multilabel.probabilities(case["logits"])
    close(multilabel.average_precision(probability, case["multi_hot"]), case["AP_per_class"], TOLERANCE)
    close(multilabel.mean_average_precision(probability, case["multi_hot"]), case["mAP"], TOLERANCE)
    close(multilabel.mean_average_precision(case["logits"], case["multi_hot"]), case["mAP_raw_scores"], TOLERANCE)
    for key in (key for key in case if key.startswith("mAP_classes_with_min")):
        least = int("".join(letter for letter in key.removeprefix("mAP_classes_with_min") if letter.isdigit()))
        close(multilabel.mean_average_precision(probability, case["multi_hot"], least), case[key], TOLERANCE)


def test_groups(case):
    probability, truth = multilabel.probabilities(case["logits"]), case["multi_hot"]
    groups = [case["head_classes"], case["tail_classes"]]
    for name, metric in (
        ("grouped_iou_head_tail", multilabel.grouped_iou),
        ("grouped_f1_head_tail", multilabel.grouped_f1),
    ):
        values = [metric(probability, truth, group) for group in groups]
        counts = [int(multilabel.clips_inside(truth, group).sum()) for group in groups]
        assert counts == case["grouped_iou_num_clips_head_tail"].tolist()
        close(np.where(np.array(counts) > 0, values, case[name]), case[name], TOLERANCE)
    if has_ties(case["logits"]):
        return
    for name, metric in (
        ("grouped_top1_head_tail", multilabel.grouped_top1),
        ("grouped_topk_any_head_tail", multilabel.grouped_top_any),
    ):
        values = np.array([metric(case["logits"], truth, group) for group in groups])
        close(np.where(np.isnan(values), case[name], values), case[name], TOLERANCE)


def test_single_label(case):
    if "single_label" not in case:
        pytest.skip("this case has no single labels")
    logits, labels = case["logits"], case["single_label"]
    top = [multilabel.single_label_accuracy(logits, labels, k) for k in (1, 5)]
    close(top, case["single_label_top1_top5_accuracy"], TOLERANCE)
    close(multilabel.mean_class_accuracy(logits, labels), case["single_label_mean_per_class_accuracy"], TOLERANCE)
    groups = [case["head_classes"], case["tail_classes"]]
    grouped = [multilabel.grouped_single_label_accuracy(logits, labels, group) for group in groups]
    close(grouped, case["single_label_grouped_head_tail_accuracy"], TOLERANCE)


def test_saturated_scores_need_float64(data):
    logits, truth = data["saturated__logits_float32"], data["saturated__multi_hot"]
    in_double = multilabel.probabilities(logits)
    close(multilabel.average_precision(in_double, truth), data["saturated__AP_per_class_float64_sigmoid"], TOLERANCE)
    close(multilabel.mean_average_precision(in_double, truth), data["saturated__mAP_float64_sigmoid"], TOLERANCE)
    close(multilabel.average_precision(logits, truth), data["saturated__AP_per_class_raw_logits"], TOLERANCE)


def test_missed_positives_enlarge_the_denominator(data):
    expected_key = next(key for key in data if key.startswith("ap_primitive__AP_with"))
    missed = [int(part) for part in expected_key.split("_") if part.isdigit()]
    scores, labels = data["ap_primitive__scores"], data["ap_primitive__labels"]
    values = [multilabel.class_average_precision(scores, labels, count) for count in missed]
    close(values, data[expected_key], TOLERANCE)
