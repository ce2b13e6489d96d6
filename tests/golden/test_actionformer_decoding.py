"""ActionFormer's data preparation and decoding against the reference."""

from __future__ import annotations

import numpy as np
import torch

from methods.networks.actionformer.decoding import NmsRule, candidates, fuse_class_scores, suppress, to_seconds
from methods.networks.actionformer.model import Detections
from methods.networks.actionformer.preparation import Grid, Sample, resize_features, truncate
from suite.evaluate.segments import Segments, without_duplicates
from tests.golden import close, golden


def detections(arrays: dict[str, np.ndarray], case: str, levels: int) -> Detections:
    def joined(name: str) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([arrays[f"{case}/{name}_l{level}"] for level in range(levels)]))

    return Detections(joined("logits")[None], joined("offsets")[None], joined("mask")[None], joined("points"))


def test_decoding() -> None:
    arrays, settings = golden("actionformer_decode.npz"), golden("actionformer_decode.json")
    assert settings
    for case, setting in settings.items():
        found = candidates(
            detections(arrays, case, len(setting["strides"])),
            0,
            setting["pre_nms_thresh"],
            setting["pre_nms_topk"],
            setting["duration_thresh"],
        )
        close(found.segments, arrays[f"{case}/pre_nms_segments"], 1e-4)
        close(found.scores, arrays[f"{case}/pre_nms_scores"], 1e-6)
        assert np.array_equal(found.labels, arrays[f"{case}/pre_nms_labels"])
        start, end = found.segments.double().numpy().T
        scored = Segments(np.zeros(len(start)), found.labels.numpy(), start, end, found.scores.numpy())
        rule = NmsRule(
            soft=setting["nms_method"] == "soft",
            class_wise=setting["multiclass_nms"],
            sigma=setting["nms_sigma"],
            threshold=setting["iou_threshold"],
            min_score=setting["min_score"],
            limit=setting["max_seg_num"],
            voting=setting["voting_thresh"],
        )
        kept = suppress(scored, rule)
        close(np.stack([kept.start, kept.end], 1), arrays[f"{case}/nms_segments"], 1e-4)
        grid = Grid(setting["fps"], setting["feat_stride"], setting["feat_num_frames"], setting["duration"])
        final = to_seconds(kept, [grid])
        close(np.stack([final.start, final.end], 1), arrays[f"{case}/final_segments_sec"], 1e-4)
        close(final.score, arrays[f"{case}/final_scores"], 1e-6)
        assert np.array_equal(final.label, arrays[f"{case}/final_labels"])


def test_external_class_scores() -> None:
    arrays = golden("actionformer_decode.npz")
    given = [arrays[f"fusion/in_{name}"] for name in ("video", "t-start", "t-end", "score")]
    found = Segments(given[0], np.zeros(len(given[0])), given[1], given[2], given[3])
    caps = sorted({name.split("/")[0] for name in arrays if name.startswith("fusion") and "/out_" in name})
    assert caps
    for case in caps:
        fused = fuse_class_scores(found, arrays["fusion/ext_cls_scores"], limit=int(case.removeprefix("fusion")))
        ours = np.stack([fused.video, fused.label, fused.start, fused.end, fused.score], 1)  # type: ignore[list-item]
        names = ("video", "label", "t-start", "t-end", "score")
        theirs = np.stack([arrays[f"{case}/out_{name}"].astype(np.float64) for name in names], 1)
        close(ours[np.lexsort(ours[:, :4].T)], theirs[np.lexsort(theirs[:, :4].T)], 1e-6)


def test_feature_grid() -> None:
    arrays = golden("actionformer_data.npz")
    features, duration = arrays["ann/feats_T_C"], float(arrays["ann/duration"])
    seconds, labels = arrays["ann/segments_sec"], arrays["ann/label_ids"]
    annotated = Segments(np.zeros(len(seconds)), labels, *seconds.T)
    for case in sorted({name.split("/")[0] for name in arrays} - {"ann", "trunc"}):
        expected = arrays[f"{case}/feats"].T
        grid = Grid(float(arrays[f"{case}/fps"]), *_native(case, arrays, features), duration)
        kept = annotated
        if len(expected) != len(features):  # the ActivityNet form: resized, and duplicates are removed
            grid = grid.resized(len(features), len(expected))
            kept = annotated.take(without_duplicates(annotated, 1e-3))
        close(grid.stride, arrays[f"{case}/feat_stride"], 1e-9)
        close(resize_features(features, len(expected)), expected, 1e-4)
        close(grid.to_grid(np.stack([kept.start, kept.end], 1)), arrays[f"{case}/segments"], 1e-4)
        close(grid.to_seconds(grid.to_grid(seconds)), np.clip(seconds, 0, duration), 1e-9)  # and back, inside the video


def _native(case: str, arrays: dict[str, np.ndarray], features: np.ndarray) -> tuple[float, float]:
    """Stride and window before resizing; the resized form reports only the stride it ends with."""
    length = arrays[f"{case}/feats"].shape[1]
    if length == len(features):
        return float(arrays[f"{case}/feat_stride"]), float(arrays[f"{case}/feat_num_frames"])
    frames = float(arrays[f"{case}/feat_stride"]) * length / len(features)  # stride equals window in this layout
    return frames, frames


def test_truncation() -> None:
    arrays = golden("actionformer_data.npz")
    cases = sorted({name.split("/")[1] for name in arrays if name.startswith("trunc/") and name.count("/") == 2})
    assert cases
    for case in cases:
        part = {name.split("/")[2]: value for name, value in arrays.items() if name.startswith(f"trunc/{case}/")}
        script = iter(part["randint_a_b_value"].tolist())

        def draw(low: int, high: int, script=script) -> int:  # type: ignore[no-untyped-def]
            expected_low, expected_high, value = next(script)
            assert (low, high) == (expected_low, expected_high)
            return int(value)

        crop = None if np.isnan(part["crop_ratio"]).any() else tuple(part["crop_ratio"])
        sample = Sample(arrays["trunc/feats"].T, part["in_segments"], part["in_labels"])
        cut = truncate(
            sample,
            int(part["max_len"]),
            draw,
            crop,
            float(part["trunc_thresh"]),
            float(part["offset"]),  # type: ignore[arg-type]
        )
        assert next(script, None) is None, "every scripted draw is used"
        close(cut.features, part["out_feats"].T, 0)
        close(cut.segments, part["out_segments"], 1e-4)
        assert np.array_equal(cut.labels, part["out_labels"])
