"""Suppression and voting against ActionFormer, OpenTAD, BMN, BaSNet and ASL."""

from __future__ import annotations

import numpy as np
import pytest

from suite.evaluate.suppression import best_rows, hard_nms, one_shot_decay, soft_nms, vote
from tests.golden import close, golden


def names(file: str) -> list[str]:
    try:
        return list(golden(file))
    except pytest.skip.Exception:
        return []


@pytest.mark.parametrize("case", names("actionformer_decode.json"))
def test_actionformer(case):
    setting, data = golden("actionformer_decode.json")[case], golden("actionformer_decode.npz")
    segments, scores, labels = (data[f"{case}/pre_nms_{part}"] for part in ("segments", "scores", "labels"))
    start, end = segments.astype(np.float64).T
    group = labels if setting["multiclass_nms"] else None
    if setting["nms_method"] == "soft":
        rows, values = soft_nms(
            start, end, scores, sigma=setting["nms_sigma"], min_score=setting["min_score"], group=group, pad=1e-6
        )
    else:
        rows = hard_nms(start, end, scores, setting["iou_threshold"], group=group, pad=1e-6)
        values = scores[rows]
    top = best_rows(values, setting["max_seg_num"])
    rows, values = rows[top], values[top]
    left, right = start[rows], end[rows]
    plain = data.get(f"{case}/nms_segments_novote", data[f"{case}/nms_segments"])
    close(np.stack([left, right], axis=1), plain, 1e-4)
    if not setting["multiclass_nms"]:
        left, right = vote(left, right, start, end, scores, setting["voting_thresh"])
    close(values, data[f"{case}/nms_scores"], 1e-6)
    np.testing.assert_array_equal(labels[rows], data[f"{case}/nms_labels"])
    close(np.stack([left, right], axis=1), data[f"{case}/nms_segments"], 1e-4)


@pytest.mark.parametrize(
    "video", sorted({name.rsplit("/", 1)[0] for name in names("bmn_proposals.npz") if "/raw_" in name})
)
def test_bmn_width_dependent_thresholds(video):
    data = golden("bmn_proposals.npz")
    alpha, low, high = data["jb/alpha_t1_t2"]
    start, end, score = (data[f"{video}/raw_{part}"] for part in ("xmin", "xmax", "score"))
    setting = {
        "sigma": alpha,
        "threshold": low,
        "width_slope": high - low,
        "strict": True,
        "limit": 101,
        "keep_last": False,
    }
    cuts = {f"{video}/softnms": len(start)}
    for key in data:
        if key.startswith(f"{video}/softnms_first") and key.endswith("_score"):
            stem = key.removesuffix("_score")
            cuts[stem] = int("".join(letter for letter in stem.rsplit("_", 1)[1] if letter.isdigit()))
    for stem, count in cuts.items():
        rows, values = soft_nms(start[:count], end[:count], score[:count], **setting)
        close(values, data[f"{stem}_score"], 1e-6)
        close(start[rows], data[f"{stem}_xmin"], 1e-5)
        close(end[rows], data[f"{stem}_xmax"], 1e-5)


def opentad_cases() -> list[tuple[str, str]]:
    stems = {name.rsplit("/", 1)[0] for name in names("bmn_proposals.npz") if name.endswith("/candidates")}
    return [(stem.split("/")[1], stem) for stem in sorted(stems)]


@pytest.mark.parametrize(("setting_name", "stem"), opentad_cases())
def test_opentad(setting_name, stem):
    data, info = golden("bmn_proposals.npz"), golden("bmn_info.json")
    setting = info["nms_configs"][setting_name]
    start, end = data[f"{stem}/candidates"].astype(np.float64).T
    scores = data[f"{stem}/candidate_scores"]
    widths = {"threshold": setting["t1"], "width_slope": setting["t2"]} if "t1" in setting else {}
    rows, values = soft_nms(
        start, end, scores, sigma=setting["sigma"], min_score=setting["min_score"],
        limit=setting["max_seg_num"], pad=1e-6, **widths,
    )  # fmt: skip
    left, right = start[rows], end[rows]
    if setting.get("voting_thresh"):
        left, right = vote(left, right, start, end, scores, setting["voting_thresh"], by_overlap=False)
    close(values, data[f"{stem}/nms_scores"], 1e-6)
    close(np.stack([left, right], axis=1), data[f"{stem}/nms_segments"], 1e-5)


def proposal_rows(table: np.ndarray) -> np.ndarray:
    return table[np.lexsort(table.T)]


def suppressed(proposals: np.ndarray, threshold: float, sigma: float | None) -> np.ndarray:
    label, score, start, end = proposals.T
    if sigma is None:
        rows = hard_nms(start, end, score, threshold, group=label, plus=1.0)
        return proposals[rows]
    rows, values = one_shot_decay(start, end, score, threshold=threshold, sigma=sigma, group=label)
    return np.column_stack([label[rows], values, start[rows], end[rows]])


def test_asl_nms_alone():
    data = golden("asl_inference.npz")
    keys = [key for key in data if key.startswith(("nms_only__hard", "nms_only__soft"))]
    assert keys
    for key in keys:
        numbers = [
            float(part[3:] if part.startswith("thr") else part[5:])
            for part in key.split("_")
            if part[:3] in ("thr", "alp")
        ]
        result = suppressed(data["nms_only__proposals"], numbers[0], numbers[1] if len(numbers) > 1 else None)
        close(proposal_rows(result), proposal_rows(data[key]), 1e-9)


def test_asl_and_basnet_videos():
    data = golden("asl_inference.npz")
    for key in [key for key in data if key.endswith("proposals_before_nms")]:
        stem = key.removesuffix("before_nms")
        for kind, sigma in (("hard", None), ("soft", 0.35)):
            if (name := f"{stem}after_{kind}_nms") in data and len(data[key]):
                close(proposal_rows(suppressed(data[key], 0.4, sigma)), proposal_rows(data[name]), 1e-9)
    data = golden("basnet_inference.npz")
    for key in [key for key in data if key.endswith("proposals_before_nms") and len(data[key])]:
        result = suppressed(data[key], float(data["nms_threshold"]), None)
        close(proposal_rows(result), proposal_rows(data[key.replace("before", "after")]), 1e-9)
