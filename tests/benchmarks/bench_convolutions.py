"""Training steps of networks with convolutions over time, their rows as they are and transposed for ``nn.Conv1d``.

``python -m tests.benchmarks.bench_convolutions [--repeats 2]``. Both ways have the same weights and the same inputs, by
turns in one run; a step is a forward and a backward pass of the sum of what the network returns. Sizes are the papers'
on THUMOS-14 and ActivityNet, of one or a few videos.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from unittest import mock

import torch
from torch import Tensor, nn

from methods.networks.convolutions import TimeConvolution
from methods.semi_localization.parts.masks import MaskNetwork
from methods.weak_localization.parts.basnet_network import BaSNetNet
from methods.weak_localization.parts.branch_network import BranchNetwork, BranchShape
from methods.weak_localization.parts.em_network import EMNetwork
from suite.work.memory import reuse_freed
from tests.benchmarks.ceilings import PRODUCTS, operations, products
from tests.benchmarks.rows import Row, record, timed


def cases() -> Iterator[tuple[str, nn.Module, tuple[Tensor, ...]]]:
    """What a network is called, the network, and its inputs."""
    yield "BaSNet, 4 videos of 750 positions", BaSNetNet(2048, 512, 2048, 20), (torch.randn(4, 750, 2048),)
    yield "EM-MIL, a video of 750 positions", EMNetwork(2048, 256, 20), (torch.randn(1, 750, 2048),)
    lengths = torch.full((8,), 320)
    for name, hidden, own in (("THUMOS-14", 32, 16), ("ActivityNet-1.2", 256, 128)):
        network = BranchNetwork(1024, BranchShape(hidden, own, 20, 4, 0.5, True))
        yield f"CMCS for {name}, 8 videos of 320 positions", network, (torch.randn(8, 320, 1024), lengths)
    yield "SPOT, 8 videos of 100 cells", MaskNetwork(400, 256, 4, 100, 200), (torch.randn(8, 100, 400),)


def step(network: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """A forward and a backward pass."""
    network.zero_grad()
    torch.stack([part.sum() for part in network(*inputs)]).sum().backward()


def transposed(layer: TimeConvolution, rows: Tensor) -> Tensor:
    """What ``nn.Conv1d`` makes of rows."""
    return nn.Conv1d.forward(layer, rows.transpose(1, 2)).transpose(1, 2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    reuse_freed()
    for name, network, inputs in cases():
        work = partial(step, network, inputs)
        ours, theirs = [], []
        for _ in range(repeats + 1):
            ours.append(timed(work)[0])
            with mock.patch.object(TimeConvolution, "forward", transposed):
                theirs.append(timed(work)[0])
        least, other = min(ours[1:]), min(theirs[1:])  # the first warms up
        share = products(operations(work)) / least
        record(Row("convolutions", name, "nn.Conv1d on transposed rows", other / least, least, share, bound=PRODUCTS))


if __name__ == "__main__":
    main()
