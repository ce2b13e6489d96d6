"""The sizes and constants of an ActionFormer.

Source: Zhang et al., "ActionFormer: Localizing Moments of Actions with Transformers", ECCV 2022, and its released code.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

GLOBAL_WINDOW = -1  # a level with this window attends to the whole sequence


@dataclass(frozen=True)
class ActionFormerConfig:
    """Sizes of the network and constants of its losses; lengths count cells of the feature grid.

    ``windows`` holds one attention window per pyramid level (odd, or ``GLOBAL_WINDOW``) and so fixes the number of
    levels; level ``l`` has stride ``2**l``.
    """

    input_dim: int
    classes: int
    embedding: int = 512
    heads: int = 4
    windows: tuple[int, ...] = (19,) * 6
    max_length: int = 2304  # training length; also the size of the position table
    stem_blocks: int = 2
    embedding_convs: int = 2
    head_layers: int = 3  # hidden convolutions plus the output convolution
    position_encoding: bool = False
    first_range: float = 4.0  # level l regresses distances up to first_range * 2**l
    centre_radius: float = 1.5  # in strides of the level
    regression_weight: float = 1.0
    label_smoothing: float = 0.0
    initial_normalizer: float = 100.0
    drop_path: float = 0.1
    prior: float = 0.01  # probability of an action that the classifier starts from

    @property
    def levels(self) -> int:
        """Number of pyramid levels."""
        return len(self.windows)

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of each level in grid cells."""
        return tuple(2**level for level in range(self.levels))

    @property
    def divisor(self) -> int:
        """The reference code pads every length to a multiple of this: ``max_l stride_l * 2 * (window_l // 2)``."""
        windowed = [s * 2 * (w // 2) if w > 1 else s for s, w in zip(self.strides, self.windows, strict=True)]
        return max(windowed)

    @property
    def regression_ranges(self) -> tuple[tuple[float, float], ...]:
        """Lowest and highest distance to a boundary that each level answers for, both inclusive."""
        edges = [0.0, *(self.first_range * 2**level for level in range(self.levels - 1)), 10000.0]
        return tuple(itertools.pairwise(edges))

    def padded_length(self, length: int) -> int:
        """The length to which the reference code pads ``length`` cells."""
        if length <= self.max_length:
            return self.max_length
        return -(-length // self.divisor) * self.divisor

    def computed_length(self, length: int) -> int:
        """The shortest length that gives the numbers of ``padded_length``.

        A padded cell is a constant in every layer (its mask precedes each norm), so one padded cell per level is as
        good as a thousand; where the reference pads less than that, so do we.
        """
        coarsest = self.strides[-1]
        return min(self.padded_length(length), -(-(length + 2 * coarsest) // coarsest) * coarsest)
