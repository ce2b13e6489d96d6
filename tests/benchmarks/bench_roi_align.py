"""ROIAlign as two matrix products against a loop over samples: ``python -m tests.benchmarks.bench_roi_align``."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from torch import Tensor

from methods.networks.roi_align import roi_align
from tests.benchmarks.ceilings import PRODUCTS, operations, products
from tests.benchmarks.rows import Row, record


def looped(features: Tensor, boxes: Tensor, bins: int, scale: float) -> Tensor:
    """The definition, one sample at a time (aligned, adaptive)."""
    out = torch.zeros(len(boxes), features.shape[1], bins, bins)
    for row, (owner, *corners) in enumerate(boxes.tolist()):
        x1, y1, x2, y2 = (value * scale - 0.5 for value in corners)
        steps = max(math.ceil((y2 - y1) / bins), 0), max(math.ceil((x2 - x1) / bins), 0)
        for i, j in np.ndindex(bins, bins):
            for k, m in np.ndindex(*steps):
                y = y1 + (i + (k + 0.5) / steps[0]) * (y2 - y1) / bins
                x = x1 + (j + (m + 0.5) / steps[1]) * (x2 - x1) / bins
                out[row, :, i, j] += sample(features[int(owner)], y, x) / (steps[0] * steps[1])
    return out


def sample(maps: Tensor, y: float, x: float) -> Tensor:
    """Bilinear value of (C, H, W) maps at a point; 0 more than one cell outside."""
    height, width = maps.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return torch.zeros(len(maps))
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = int(y), int(x)
    down, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = maps[:, top, left] * (1 - x + left) + maps[:, top, right] * (x - left)
    lower = maps[:, down, left] * (1 - x + left) + maps[:, down, right] * (x - left)
    return upper * (1 - y + top) + lower * (y - top)


def main() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(4, 256, 16, 22, generator=generator)
    low = torch.rand(24, 2, generator=generator) * 150
    size = torch.rand(24, 2, generator=generator) * 150 + 30
    boxes = torch.cat([torch.arange(24)[:, None] % 4, low, low + size], dim=1)
    roi_align(features, boxes, 7, 1 / 16)
    start = time.process_time()
    for _ in range(10):
        fast = roi_align(features, boxes, 7, 1 / 16)
    ours = (time.process_time() - start) / 10
    start = time.process_time()
    slow = looped(features, boxes, 7, 1 / 16)
    theirs = time.process_time() - start
    worst = (fast - slow).abs().max().item()
    share = products(operations(lambda: roi_align(features, boxes, 7, 1 / 16))) / ours
    what, against = "ROIAlign of 24 boxes on 256 x 16 x 22 maps", "a loop over samples"
    record(Row("roi_align", what, against, theirs / ours, ours, share, bound=PRODUCTS))
    print(f"largest difference {worst:.1e}")
    sparse = features.clone().requires_grad_()
    start = time.process_time()
    roi_align(sparse, boxes, 7, 1 / 16).sum().backward()
    print(f"with gradient: {(time.process_time() - start) / ours:.1f} times the forward pass")


if __name__ == "__main__":
    main()
