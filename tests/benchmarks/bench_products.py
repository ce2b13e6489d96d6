"""Rates of float32 products by MKL and by oneDNN, and the gradient of a convolution's weights by either route.

``python -m tests.benchmarks.bench_products [--repeats 7]``; with ``MKL_ENABLE_INSTRUCTIONS=AVX2`` in the environment,
MKL computes as it does on processors where it leaves AVX-512 out, which oneDNN does not. Rates are operations a CPU
second, the best of the repeats, the routes in turns. Shapes are those of the methods: M rows of K values to N. The
ceiling is the best rate that any route reached in this run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.networks.convolutions import convolve
from methods.networks.products import linear
from tests.benchmarks.rows import Row, record

SHAPES = {
    "ActionFormer, attention": (4608, 512, 512),
    "ActionFormer, wider": (4608, 512, 2048),
    "ActionFormer, narrower": (4608, 2048, 512),
    "ASL, hidden": (6000, 2048, 512),
    "BMN, map": (1600, 400, 256),
    "head at EPIC size, first": (128, 3072, 1024),
    "head at EPIC size, second": (128, 1024, 1024),
}
TIME = {"ActionFormer, embedding": (2, 2304, 2048, 512), "ActionFormer, tower": (2, 2304, 512, 512)}
Route = Callable[[Tensor, Tensor], Tensor]


def best(routes: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The least CPU seconds of each."""
    times: dict[str, list[float]] = {name: [] for name in routes}
    for turn in range(repeats + 1):
        for name, run in routes.items():
            start = time.process_time()
            run()
            if turn:  # the first warms up
                times[name].append(time.process_time() - start)
    return {name: min(seconds) for name, seconds in times.items()}


def both_ways(route: Route, values: Tensor, weight: Tensor) -> Callable[[], object]:
    """A product, its gradients of values and of weights."""

    def run() -> object:
        out = route(values, weight)
        return torch.autograd.grad(out, (values, weight), torch.ones_like(out))

    return run


def plain_convolve(features: Tensor, weight: Tensor) -> Tensor:
    """The same convolution with the gradients that torch chooses."""
    image = features.unsqueeze(1).permute(0, 3, 1, 2)
    return F.conv2d(image, weight.unsqueeze(2), padding=(0, 1)).permute(0, 2, 3, 1).squeeze(1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    found: list[tuple[str, float, dict[str, float]]] = []
    for name, (rows, inside, outside) in SHAPES.items():
        values, weight = torch.randn(rows, inside), torch.randn(outside, inside)
        back = values.clone().requires_grad_(), weight.clone().requires_grad_()
        work = 2.0 * rows * inside * outside
        routes: dict[str, Route] = {"F.linear": F.linear, "ours": linear}
        with torch.no_grad():
            forward = {key: partial(route, values, weight) for key, route in routes.items()}
            found.append((f"{name}, forward", work, best(forward, repeats)))
        steps = {key: both_ways(route, *back) for key, route in routes.items()}
        found.append((f"{name}, forward and backward", 3 * work, best(steps, repeats)))
    for name, (batch, length, inside, outside) in TIME.items():
        features, weight = torch.randn(batch, length, inside), torch.randn(outside, inside, 3)
        back = features.requires_grad_(), weight.requires_grad_()
        steps = {key: both_ways(route, *back) for key, route in (("torch", plain_convolve), ("ours", convolve))}
        # By pairs of times it takes two thirds of the multiplications that three taps have.
        work = 12.0 * batch * length * inside * outside
        found.append((f"{name}, width 3, forward and backward", work, best(steps, repeats)))
    ceiling = max(work / min(times.values()) for _, work, times in found)
    print(f"best rate: {ceiling / 1e9:.0f} GFLOP a second")
    for name, work, times in found:
        other = next(key for key in times if key != "ours")
        ours = times["ours"]
        record(Row("products", name, other, times[other] / ours, ours, work / ours / ceiling, bound="the best rate"))


if __name__ == "__main__":
    main()
