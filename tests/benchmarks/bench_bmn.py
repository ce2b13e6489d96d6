"""One BMN training step against the textbook order of work: sample every proposal first, convolve after.

Run ``python -m tests.benchmarks.bench_bmn [batch]``. Both sides do the same step (forward, losses, backward, Adam) on
the same network; the textbook side needs 1.4 GB a sample and runs at batch 2. The reference code took 5.6 s at batch 2
and 58 s with 21 GB at batch 16 on two cores of another machine.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from methods.networks.bmn.losses import Draws, MapTargets, community_losses
from methods.networks.bmn.model import BMN, BMNConfig, BoundaryMap
from tests.benchmarks.ceilings import PRODUCTS, operations, products
from tests.benchmarks.rows import Row, record

DIRECT = f"{PRODUCTS}, of which oneDNN spares some (Winograd)"
REFERENCE_SECONDS = {2: 5.5948, 8: 24.3859, 16: 57.9643}


class TextbookBMN(nn.Module):
    """The same network in the published order: dense sampling tensor, three-dimensional convolution, whole maps."""

    def __init__(self, network: BMN) -> None:
        super().__init__()
        self.network = network
        config = network.config
        table = torch.zeros(len(network.crow) - 1, config.length * config.samples)
        table[torch.repeat_interleave(torch.arange(len(table)), network.crow.diff()), network.column] = network.weight
        full = torch.zeros(config.map_shape[0] * config.map_shape[1], table.shape[1])
        full[network.valid.flatten()] = table
        # (T, N * rows * T)
        self.table = full.unflatten(1, (config.length, config.samples)).permute(1, 2, 0).flatten(1)

    def forward(self, features: Tensor) -> BoundaryMap:
        net = self.network
        base = net.embed(features)
        sampled = (net.proposal(base) @ self.table).unflatten(2, (net.config.samples, *net.config.map_shape))
        image = torch.relu(net.sampled(sampled).squeeze(2))
        image = torch.relu(net.far(torch.relu(net.near(torch.relu(net.reduce(image))))))
        confidence = net.confidence(image).sigmoid() * net.valid
        return BoundaryMap(net.starts(base).squeeze(1), net.ends(base).squeeze(1), *confidence.unbind(1))


def step_of(model: nn.Module, network: BMN, batch: int) -> Callable[[], float]:
    """A training step on random features with plausible targets."""
    generator = torch.Generator().manual_seed(0)
    config = network.config
    features = torch.randn(batch, config.length, config.input_dim, generator=generator)
    curve = torch.rand(batch, config.length, generator=generator)
    targets = MapTargets(curve, curve.flip(1), torch.rand(batch, *config.map_shape, generator=generator))
    draws = Draws(*torch.rand(2, batch, *config.map_shape, generator=generator))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-4)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        losses = community_losses(model(features), targets, network.valid, draws)
        total = torch.stack(list(losses.values())).sum()
        total.backward()
        optimizer.step()
        return total.item()

    return step


class Cost(NamedTuple):
    """Seconds of a step; on a machine that others use too, CPU seconds are the fairer measure."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} s ({self.cpu:.2f} CPU seconds)"


def median_cost(step: Callable[[], float], runs: int = 3) -> Cost:
    """Median wall and CPU time after one warm-up."""
    step()
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        step()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return Cost(statistics.median(walls), statistics.median(cpus))


def share(step: Callable[[], float], taken: Cost) -> float:
    """The part of the CPU time of a step that its dense products need at the machine's best rate."""
    return products(operations(step)) / taken.cpu


def peak_gigabytes() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main(batch: int = 16) -> None:
    torch.manual_seed(0)
    network = BMN(BMNConfig())
    step = step_of(network, network, batch)
    ours = median_cost(step)
    print(f"batch {batch}: {ours} a step, peak {peak_gigabytes():.2f} GB, {torch.get_num_threads()} threads")
    if batch in REFERENCE_SECONDS:
        reference = REFERENCE_SECONDS[batch]
        print(f"  reference, another machine: {reference:.1f} s, ratio {reference / ours.wall:.1f}")
    record(Row("bmn", f"a step of {batch} videos", "", None, ours.cpu, share(step, ours), bound=DIRECT))
    both = step_of(network, network, 2)
    pair = median_cost(both)
    textbook = TextbookBMN(network)
    first, second = step_of(network, network, 2)(), step_of(textbook, network, 2)()
    slow = median_cost(step_of(textbook, network, 2), runs=2)
    against, ratio = "proposals sampled first, convolved after", slow.cpu / pair.cpu
    record(Row("bmn", "a step of 2 videos", against, ratio, pair.cpu, share(both, pair), bound=DIRECT))
    print(f"  losses of consecutive steps {first:.5f} and {second:.5f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 16)
