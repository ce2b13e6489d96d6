"""ROIAlign against stored outputs of the reference operator: both conventions, adaptive and fixed samples, gradient."""

from __future__ import annotations

import re

import pytest
import torch

from methods.networks.roi_align import roi_align
from tests.golden import close, golden

DATA = golden("roi_align.npz")
CASES = sorted(key.split("/")[1] for key in DATA if key.startswith("out/"))


def settings(case: str) -> dict[str, int | bool]:
    aligned, sampling, size = re.fullmatch(r"aligned(\d)_sampling(\d+)_out(\d+)", case).groups()
    return {"aligned": aligned == "1", "sampling_ratio": int(sampling), "output_size": int(size)}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("folder", "dtype", "tolerance"), [("out", torch.float32, 1e-5), ("out64", torch.float64, 1e-10)]
)
def test_pools_like_the_reference(case: str, folder: str, dtype: torch.dtype, tolerance: float) -> None:
    features = torch.tensor(DATA["features"], dtype=dtype)
    boxes = torch.tensor(DATA["boxes_batchidx_x1y1x2y2"], dtype=dtype)
    close(roi_align(features, boxes, spatial_scale=1 / 16, **settings(case)), DATA[f"{folder}/{case}"], tolerance)


def test_gradient_reaches_the_features_like_the_reference() -> None:
    upstream = next(key for key in DATA if key.startswith("grad/upstream_"))
    features = torch.tensor(DATA["features"], dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor(DATA["boxes_batchidx_x1y1x2y2"], dtype=torch.float64)
    pooled = roi_align(features, boxes, spatial_scale=1 / 16, **settings(upstream.removeprefix("grad/upstream_")))
    pooled.backward(torch.tensor(DATA[upstream]))
    close(features.grad, DATA["grad/features"], 1e-10)
