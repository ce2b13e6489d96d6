"""The boundary-matching network: start and end probabilities of every cell, confidence of every proposal.

The reference samples every proposal at N points (a tensor of B x C x N x T x T) and then convolves over channels and
points. Both are linear, so here the sequence is convolved first and sampled after: the same numbers from a sparse
matrix product over valid proposals only. The convolutions on the map see strips of it that hold valid cells.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.networks.bmn.sampling import Layout, SparseProduct, build_sampling


@dataclass(frozen=True)
class BMNConfig:
    """Sizes of the network; the defaults are those of the community code on ActivityNet-1.3."""

    input_dim: int = 400
    length: int = 100  # T, cells of the temporal grid
    longest: int = 100  # D, longest proposal (duration-start layout)
    layout: Layout = "start-end"
    hidden: int = 256
    proposal: int = 256  # 128 in OpenTAD
    sampled: int = 512
    map_hidden: int = 128
    groups: int = 4
    samples: int = 32
    per_sample: int = 3
    extension: float = 0.5

    @property
    def map_shape(self) -> tuple[int, int]:
        """Rows and columns of the confidence map."""
        return (self.length if self.layout == "start-end" else self.longest), self.length


class BoundaryMap(NamedTuple):
    """What the network predicts for B sequences of T cells; probabilities, zero at cells that are no proposal."""

    start: Tensor  # (B, T)
    end: Tensor  # (B, T)
    regression: Tensor  # (B, rows, T) predicted tIoU
    classification: Tensor  # (B, rows, T) probability that the tIoU is high


def _conv(inputs: int, outputs: int, kernel: int, groups: int = 1) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2, groups=groups)


class BMN(nn.Module):
    """Boundary-matching network on sequences of a fixed length."""

    cell_index: Tensor
    cells: Tensor  # (K,) places of the proposals in the map, row by row
    crow: Tensor
    column: Tensor
    weight: Tensor
    crow_t: Tensor
    column_t: Tensor
    weight_t: Tensor

    def __init__(self, config: BMNConfig) -> None:
        super().__init__()
        self.config = config
        self.strip_height = 25  # rows of the map computed at once: lower saves invalid cells, higher saves calls
        width, groups = config.hidden, config.groups
        self.base = nn.Sequential(
            _conv(config.input_dim, width, 3, groups), nn.ReLU(), _conv(width, width, 3, groups), nn.ReLU()
        )
        self.starts = nn.Sequential(_conv(width, width, 3, groups), nn.ReLU(), _conv(width, 1, 1), nn.Sigmoid())
        self.ends = nn.Sequential(_conv(width, width, 3, groups), nn.ReLU(), _conv(width, 1, 1), nn.Sigmoid())
        self.proposal = nn.Sequential(_conv(width, config.proposal, 3), nn.ReLU())
        self.sampled = nn.Conv3d(config.proposal, config.sampled, (config.samples, 1, 1))
        self.reduce = nn.Conv2d(config.sampled, config.map_hidden, 1)
        self.near = nn.Conv2d(config.map_hidden, config.map_hidden, 3, padding=1)
        self.far = nn.Conv2d(config.map_hidden, config.map_hidden, 3, padding=1)
        self.confidence = nn.Conv2d(config.map_hidden, 2, 1)
        self._register_sampling()

    def _register_sampling(self) -> None:
        config = self.config
        table = build_sampling(
            config.layout, config.length, config.longest, config.samples, config.per_sample, config.extension
        )
        shape = (len(table.cells), config.length * config.samples)
        matrix = _csr(
            torch.from_numpy(table.row_starts), torch.from_numpy(table.columns), torch.from_numpy(table.weights), shape
        )
        # The backward pass multiplies by the transposed matrix, which is constant and therefore made once. Neither is
        # stored in checkpoints: both follow from the sizes.
        transposed = matrix.to_sparse_coo().t().coalesce().to_sparse_csr()
        for name, csr in (("", matrix), ("_t", transposed)):
            self.register_buffer(f"crow{name}", csr.crow_indices(), persistent=False)
            self.register_buffer(f"column{name}", csr.col_indices(), persistent=False)
            self.register_buffer(f"weight{name}", csr.values().float(), persistent=False)
        # Cells that are no proposal point one row beyond the proposals, where _confidence puts what the reference has
        # there.
        index = torch.full(config.map_shape, len(table.cells))
        index[table.cells[:, 0], table.cells[:, 1]] = torch.arange(len(table.cells))
        self.register_buffer("cell_index", index, persistent=False)
        self.register_buffer("cells", self.valid.flatten().nonzero()[:, 0], persistent=False)

    @property
    def valid(self) -> Tensor:
        """(rows, T) bool: cells that are proposals."""
        return self.cell_index < len(self.crow) - 1

    def forward(self, features: Tensor) -> BoundaryMap:
        """(B, T, input_dim) -> boundary probabilities and confidence maps."""
        return self.evaluate(self.embed(features))

    def embed(self, features: Tensor) -> Tensor:
        """(B, T, input_dim) -> base features (B, hidden, T)."""
        base: Tensor = self.base(features.transpose(1, 2))
        return base

    def evaluate(self, base: Tensor) -> BoundaryMap:
        """Base features (B, hidden, T) -> boundary probabilities and confidence maps."""
        start, end = self.starts(base).squeeze(1), self.ends(base).squeeze(1)
        confidence = self._confidence(self._sample(self.proposal(base)))
        return BoundaryMap(start, end, *confidence.unbind(1))

    def _sample(self, proposal: Tensor) -> Tensor:
        """(B, C, T) -> (B, K, sampled): the convolution over channels and points of every valid proposal."""
        # Channels are mixed before sampling (see the module): the product is over T cells instead of T x T proposals.
        weight = self.sampled.weight[:, :, :, 0, 0].permute(1, 2, 0).flatten(1)  # (C, N * sampled)
        convolved = (proposal.transpose(1, 2) @ weight).unflatten(2, (-1, self.config.sampled)).flatten(1, 2)
        cells, points = len(self.crow) - 1, convolved.shape[1]
        matrix = _csr(self.crow, self.column, self.weight, (cells, points))
        transposed = _csr(self.crow_t, self.column_t, self.weight_t, (points, cells))
        mixed: Tensor = SparseProduct.apply(matrix, transposed, convolved.to(self.weight.dtype))
        bias = self.sampled.bias
        assert bias is not None
        return mixed + bias

    def _confidence(self, sampled: Tensor) -> Tensor:
        """(B, K, sampled) -> (B, 2, rows, T)."""
        bias = self.sampled.bias
        assert bias is not None
        reduce = self.reduce.weight[:, :, 0, 0]
        nothing = bias.expand(len(sampled), 1, -1)  # what the reference computes at cells that are no proposal
        flat = F.relu(F.linear(F.relu(torch.cat([sampled, nothing], dim=1)), reduce, self.reduce.bias))
        bands = [self._strip(flat, *strip) for strip in self._strips()]
        return torch.cat(bands, dim=2) * self.valid

    def _strips(self) -> Iterator[tuple[int, int, int, int]]:
        """Bands of rows and the columns that hold valid cells: (first row, end row, first column, end column)."""
        rows, columns = self.config.map_shape
        for low in range(0, rows, self.strip_height):
            high = min(low + self.strip_height, rows)
            if self.config.layout == "start-end":
                yield low, high, low, columns
            else:
                yield low, high, 0, columns - low

    def _strip(self, flat: Tensor, top: int, bottom: int, left: int, right: int) -> Tensor:
        """Confidence of one band (B, 2, bottom - top, T); two more cells on each side feed the 3 x 3 convolutions."""
        rows, columns = self.config.map_shape
        up, down = max(top - 2, 0), min(bottom + 2, rows)
        first, last = max(left - 2, 0), min(right + 2, columns)
        index = self.cell_index[up:down, first:last]
        image = flat[:, index.flatten()].unflatten(1, index.shape).permute(0, 3, 1, 2)
        image = F.relu(self.far(F.relu(self.near(image))))[:, :, top - up : bottom - up, left - first : right - first]
        return F.pad(self.confidence(image).sigmoid(), (left, columns - right))


def _csr(row_starts: Tensor, columns: Tensor, weights: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(row_starts, columns, weights, shape, check_invariants=False)
