"""From untrimmed videos to batches: features on a grid, segments on that grid, targets at every point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from methods.networks.actionformer.config import ActionFormerConfig
from methods.networks.actionformer.model import pyramid_points
from methods.networks.actionformer.preparation import Grid, Sample, inside_features, resize_features, truncate
from methods.networks.actionformer.targets import assign, assign_batch
from suite.evaluate.segments import Segments, without_duplicates
from suite.tasks.localization.samples import Videos

DUPLICATE_SECONDS = 1e-3


@dataclass(frozen=True)
class GridVideos:
    """Videos with their time lines: native snippets, or every video resized to ``length`` cells.

    ``segments`` in seconds are those a method may learn from (annotations or pseudo-labels); where only ``uncertain``
    ones lie nothing is learned.
    """

    videos: Videos
    segments: Segments
    length: int = 0  # 0 keeps native snippets
    uncertain: Segments = field(default_factory=Segments.empty)

    def cells(self, video: int) -> int:
        """How many cells the features of one video have."""
        return self.length or int(self.videos.lengths[video])

    def grid(self, video: int) -> Grid:
        """The time line of one video."""
        v = self.videos
        native = Grid(float(v.fps[video]), float(v.stride[video]), float(v.window[video]), float(v.duration[video]))
        return native.resized(int(v.lengths[video]), self.length) if self.length else native

    def features(self, video: int) -> np.ndarray:
        """(L, D) float32 on the grid."""
        native = np.asarray(self.videos.features(video), dtype=np.float32)
        return resize_features(native, self.length) if self.length else native

    def sample(self, video: int) -> Sample:
        """Features with the segments that lie on them, in cells.

        Segments without a length or beyond the features are left out; resized videos also lose duplicates and segments
        of which less than half is inside, as in the reference.
        """
        features = self.features(video)
        segments, labels = self._placed(self.segments, video, len(features))
        return Sample(features, segments, labels, self._placed(self.uncertain, video, len(features))[0])

    def _placed(self, segments: Segments, video: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
        """The segments (N, 2) of one video in cells and their labels (N,)."""
        own = segments.take(np.flatnonzero(segments.video == video))
        if self.length:
            own = own.take(without_duplicates(own, DUPLICATE_SECONDS))
        placed = self.grid(video).to_grid(np.stack([own.start, own.end], axis=1))
        kept = inside_features(placed, cells, 0.5 if self.length else 0.0)
        return placed[kept], own.label[kept]


def endless(rows: np.ndarray, size: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches of row numbers, one permutation after the other; what is left of a permutation is dropped.

    With fewer rows than ``size`` every batch holds them all.
    """
    size = min(size, len(rows))
    while True:
        order = generator.permutation(rows)
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]


def random_crop(
    sample: Sample, config: ActionFormerConfig, generator: np.random.Generator, grid: Grid, least_share: float = 0.9
) -> Sample:
    """The reference's training crop: a window of at most ``max_length`` cells, or 90 to 100 % of a shorter video."""

    def draw(low: int, high: int) -> int:
        return int(generator.integers(low, high + 1))

    crop = (least_share, 1.0) if least_share < 1 else None
    return truncate(sample, config.max_length, draw, crop, margin=grid.window / grid.stride / 2)


def together(sizes: Sequence[int], most: int) -> Iterator[list[int]]:
    """Places of videos of one size in groups of at most ``most`` cells in all, or of one video; the shortest first."""
    order = np.argsort(sizes, kind="stable").tolist()
    for size, same in groupby(order, key=lambda place: sizes[place]):
        places, count = list(same), max(1, most // max(size, 1))
        yield from (places[first : first + count] for first in range(0, len(places), count))


def padded(features: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Zero-pad (L_i, D) features to (B, max L, D), with lengths (B,)."""
    lengths = torch.tensor([len(f) for f in features])
    out = torch.zeros(len(features), int(lengths.max()), features[0].shape[1])
    for row, f in zip(out, features, strict=True):
        row[: len(f)] = torch.from_numpy(np.array(f))  # a copy: the store is read-only
    return out, lengths


def detector_batch(samples: Sequence[Sample], config: ActionFormerConfig) -> dict[str, Tensor]:
    """Samples as one batch with targets; every tensor has the batch as its first dimension, so it can be shared out.

    ``positive_points`` and ``rows`` (B,) repeat the number of positive points and of samples in the whole batch;
    ``instances`` (B,) counts the segments of each video; ``ignored`` (B, P) marks points that only an uncertain segment
    would claim.
    """
    features, lengths = padded([sample.features for sample in samples])
    points = pyramid_points(config.computed_length(features.shape[1]), config)
    segments = [torch.as_tensor(np.array(sample.segments), dtype=torch.float32) for sample in samples]
    labels = [torch.as_tensor(np.array(sample.labels)) for sample in samples]
    if config.classes == 1:
        labels = [torch.zeros_like(label) for label in labels]
    targets = assign_batch(points, segments, labels, config.classes, config.centre_radius)
    positive = (targets.instance >= 0) & (points[None, :, 0] < lengths[:, None])
    count = torch.ones(len(samples), dtype=torch.long)
    unclear = [torch.as_tensor(np.array(sample.uncertain), dtype=torch.float32) for sample in samples]
    claimed = [assign(points, u, torch.zeros(len(u)), 1, config.centre_radius).instance >= 0 for u in unclear]
    return {
        "features": features,
        "length": lengths,
        "classes": targets.classes,
        "offsets": targets.offsets,
        "instance": torch.where(positive, targets.instance, -1),
        "positive_points": count * positive.sum(),
        "rows": count * len(samples),
        "instances": torch.tensor([len(s) for s in segments]),
        "ignored": torch.stack(claimed) & ~positive,
    }
