"""Steps of the engine's Adam on a CPU beside torch's usual one: ``python -m tests.benchmarks.bench_adam``."""

from __future__ import annotations

import torch

from methods.networks.mlp import FeatureMLP
from methods.recognition.label_smoothing import LabelSmoothing
from suite.method import Optimizer
from suite.train.optimizers import make_optimizer
from suite.work.memory import reuse_freed
from tests.benchmarks.ceilings import reading
from tests.benchmarks.rows import Row, least, record

STEPS = 20
ARRAYS = 4  # weights, gradients and two moments


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    reuse_freed()
    for units in (64, 256, 1024):
        network = FeatureMLP(units, 97, units, 2)
        for parameter in network.parameters():
            parameter.grad = torch.randn_like(parameter)
        ours = make_optimizer(LabelSmoothing(), network, Optimizer("adam", lr=1e-4))
        theirs = torch.optim.Adam(network.parameters(), lr=1e-4)

        def seconds(optimizer: torch.optim.Optimizer) -> float:
            return least(lambda: [optimizer.step() for _ in range(STEPS)], repeats=10) / STEPS

        before, now = seconds(theirs), seconds(ours)
        size = sum(parameter.nbytes for parameter in network.parameters())
        share = reading(ARRAYS * size) / now
        what = f"Adam, a step of a network of {units} units"
        record(Row("adam", what, "torch's usual one", before / now, now, share, bound="reading its arrays once"))


if __name__ == "__main__":
    main()
