"""ROIAlign in plain PyTorch: regions of a feature map, pooled to a grid by bilinear samples (He et al., ICCV 2017)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


def roi_align(
    features: Tensor,
    boxes: Tensor,
    output_size: int = 7,
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    aligned: bool = True,
    counts: Sequence[int] | None = None,
) -> Tensor:
    """Pool each box of a batch of feature maps to ``output_size`` x ``output_size`` bins.

    A bilinear sample, its border rule and the mean over the samples of a bin are products of a term in y and a term
    in x, so each box is two small matrices (bins x rows, bins x columns) around its map: no loop over boxes or
    samples, and the gradient with respect to the features comes from the two products.

    Args:
        features: (B, C, H, W).
        boxes: (R, 5) rows of batch index, x1, y1, x2, y2 in input units; multiplied by ``spatial_scale``.
        output_size: bins along each axis.
        spatial_scale: feature cells per input unit (1/16 for pixels of a stride 16 network).
        sampling_ratio: samples per bin and axis; 0 or less adapts to the box, ceil(cells of the box / bins).
        aligned: True shifts boxes by half a cell (cells are areas); False is the older convention (cells are points,
            boxes at least one cell wide and high). The two are not interchangeable between trained heads.
        counts: B numbers of boxes per map, where boxes come in the order of maps and are not larger than these; then
            the host need not wait for a device to know.

    Returns:
        (R, C, output_size, output_size) in the order of ``boxes``; all zero for a box without area (adaptive samples)
        or outside the map.
    """
    height, width = features.shape[-2:]
    exact = torch.promote_types(features.dtype, torch.float32)  # half precision is too coarse for coordinates
    coordinates = boxes[:, 1:].to(exact) * spatial_scale - (0.5 if aligned else 0.0)
    minimum = None if aligned else 1.0
    settings = (output_size, sampling_ratio, minimum, counts is not None)
    across = _bin_weights(coordinates[:, 0], coordinates[:, 2], width, *settings)
    down = _bin_weights(coordinates[:, 1], coordinates[:, 3], height, *settings)
    across, down = across.to(features.dtype), down.to(features.dtype)
    if len(boxes) == 0:
        return features.new_zeros((0, features.shape[1], output_size, output_size))
    order, pooled = [], []
    for image, mine in by_image(boxes, counts):  # images, not boxes: boxes of one share its map without a copy
        order.append(mine)
        rows = torch.einsum("rih,chw->rciw", down[mine], features[image])
        pooled.append(torch.einsum("rciw,rjw->rcij", rows, across[mine]))
    return torch.cat(pooled)[torch.cat(order).argsort()]


def by_image(boxes: Tensor, counts: Sequence[int] | None) -> Iterator[tuple[int, Tensor]]:
    """Each image that has boxes (R, 5), and their rows; with ``counts`` as :func:`roi_align` takes them."""
    if counts is None:
        owner = boxes[:, 0].long()
        yield from ((image, (owner == image).nonzero().squeeze(1)) for image in owner.unique().tolist())
        return
    rows = torch.arange(len(boxes), device=boxes.device).split(list(counts))
    yield from ((image, mine) for image, mine in enumerate(rows) if len(mine))


def _bin_weights(
    start: Tensor, end: Tensor, cells: int, bins: int, sampling_ratio: int, minimum: float | None, inside: bool
) -> Tensor:
    """Share of each cell in each bin along one axis, (R, bins, cells): the mean of the bin's linear samples.

    ``inside``: no box is larger than the map, so that its cells bound the number of samples.
    """
    extent = end - start if minimum is None else (end - start).clamp(min=minimum)
    grid = torch.full_like(extent, sampling_ratio) if sampling_ratio > 0 else (extent / bins).ceil().clamp(min=0)
    # One more than the cells ask for: rounding may make a box as large as the map a little larger.
    most = cells // bins + 2 if inside and sampling_ratio <= 0 else int(grid.max()) if grid.numel() else 0
    sample = torch.arange(max(most, 1), device=start.device, dtype=start.dtype)
    counted = sample < grid[:, None]  # (R, samples): boxes differ in the number of samples
    within = torch.arange(bins, device=start.device, dtype=start.dtype)[:, None] * grid[:, None, None] + sample + 0.5
    position = start[:, None, None] + within * (extent / bins / grid.clamp(min=1))[:, None, None]
    used = counted[:, None, :] & (position >= -1) & (position <= cells)
    clamped = position.clamp(0, cells - 1)
    index = torch.arange(cells, device=start.device, dtype=start.dtype)
    hat = (1 - (clamped[..., None] - index).abs()).clamp(min=0)  # linear interpolation seen from the cells
    return (hat * used[..., None]).sum(dim=2) / grid.clamp(min=1)[:, None, None]
