"""One ActionFormer training step at THUMOS size: plain, ours, without padding, in bfloat16; and decoding of one video.

Run ``python -m tests.benchmarks.bench_actionformer``. A step is forward, losses, backward, clipping, AdamW and the
average of the weights, on batches of two with 2,048 channels. "Padded" computes all 2,304 cells of both videos, as the
reference does (3.04 s on two cores of another machine, 5.95 CPU seconds); "plain" does so with the layers as one would
first write them; "as long as needed" computes what can matter, for lengths that are quantiles of THUMOS-14's validation
videos. The step is also set against its matrix products alone, at the rate of one large product on this machine, which
no order of work beats in float32. Needs about 6 GB. ``ACTIONFORMER_RELEASE=FOLDER``, a checkout of the released code,
adds its step on the same videos, taken by turns with ours; it pads videos of any length to 2,304 cells.
"""

from __future__ import annotations

import argparse
import copy
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from methods.networks.actionformer.config import ActionFormerConfig
from methods.networks.actionformer.decoding import NmsRule, candidates, suppress
from methods.networks.actionformer.losses import detector_losses
from methods.networks.actionformer.model import ActionFormer, Detections
from methods.networks.actionformer.optim import decay_groups
from methods.networks.actionformer.preparation import Sample
from methods.networks.actionformer.targets import Targets
from methods.semi_localization.parts.batches import detector_batch
from suite.evaluate.segments import Segments
from suite.method import Average
from suite.train.averaging import averaged_copy, update_average
from tests.benchmarks.bench_bmn import Cost, median_cost, peak_gigabytes
from tests.benchmarks.ceilings import HALF, PRODUCTS, operations, products
from tests.benchmarks.plain_actionformer import plain_order
from tests.benchmarks.rows import Row, record, timed

SECONDS = (31, 51, 81, 112, 136, 168, 191, 229, 311, 601)  # 5 %, 15 % ... 95 % of the 200 videos' durations
SNIPPETS_A_SECOND = 7.5  # 30 frames a second, a snippet every 4
CHANNELS = 2048
TURNS = 4  # of steps by turns


def random_sample(length: int, generator: np.random.Generator) -> Sample:
    """Features of one video with an action every 100 snippets."""
    start = np.arange(10.0, max(20.0, length - 40), 100.0)
    segments = np.stack([start, start + generator.uniform(5, 40, len(start))], axis=1)
    features = generator.standard_normal((length, CHANNELS)).astype(np.float32)
    return Sample(features, segments, generator.integers(0, 20, len(start)))


class Training:
    """One network in training."""

    def __init__(self, network: ActionFormer, bfloat16: bool = False) -> None:
        self.network, self.bfloat16 = network, bfloat16
        self.average = averaged_copy(network)
        self.optimizer = torch.optim.AdamW(decay_groups(network, 0.05), lr=1e-4)
        self.steps = 0

    def step(self, batch: dict[str, torch.Tensor]) -> float:
        """One step; returns the loss."""
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            found = self.network(batch["features"], batch["length"])
        sums = detector_losses(found, Targets(batch["classes"], batch["offsets"], batch["instance"]))
        loss = (sums.classification + sums.regression) / sums.positive_points.clamp(min=1)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.steps += 1
        update_average(self.average, self.network, Average(0.999), self.steps)
        return loss.item()


def pairs_of(lengths: Sequence[int], generator: np.random.Generator) -> list[list[int]]:
    """Lengths by twos in random order."""
    order = generator.permutation(len(lengths))
    return [[lengths[i], lengths[j]] for i, j in zip(order[::2], order[1::2], strict=True)]


def epoch_cost(network: ActionFormer, batches: Sequence[dict[str, torch.Tensor]], bfloat16: bool = False) -> Cost:
    """Seconds a step over ``batches``, after one step to warm up."""
    training = Training(copy.deepcopy(network), bfloat16)
    training.step(batches[0])
    wall, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        training.step(batch)
    return Cost((time.perf_counter() - wall) / len(batches), (time.process_time() - cpu) / len(batches))


def operations_of(network: ActionFormer, batches: Sequence[dict[str, torch.Tensor]]) -> float:
    """Multiplications and additions of a step on ``batches``, on average."""
    training = Training(copy.deepcopy(network))
    return sum(operations(partial(training.step, batch)) for batch in batches) / len(batches)


def decoding_cost(length: int) -> Cost:
    """Candidates and soft-NMS of one video from random outputs, 8,000 and more candidates."""
    config = ActionFormerConfig(CHANNELS, classes=20)
    generator = torch.Generator().manual_seed(0)
    from methods.networks.actionformer.model import pyramid_points

    points = pyramid_points(length, config)
    logits = torch.randn(1, len(points), config.classes, generator=generator) - 4
    offsets = 4 * torch.rand(1, len(points), 2, generator=generator)
    raw = Detections(logits, offsets, torch.ones(1, len(points), dtype=torch.bool), points)

    def decode() -> float:
        found = candidates(raw, 0)
        columns = (torch.zeros_like(found.labels), found.labels, *found.segments.T, found.scores)
        return float(len(suppress(Segments(*(column.numpy() for column in columns)), NmsRule())))

    return median_cost(decode, runs=7)


def each_of(step: Callable[[Any], float], parts: Sequence[Any]) -> None:
    """A step on each part, one after the other."""
    for part in parts:
        step(part)


def by_turns(ways: Sequence[Callable[[], object]], turns: int) -> list[float]:
    """Median CPU seconds of each, after one turn to warm up."""
    taken = [[timed(way)[0] for way in ways] for _ in range(1 + turns)]
    return [float(np.median(spent)) for spent in zip(*taken[1:], strict=True)]


def against_released(folder: Path, network: ActionFormer, groups: Mapping[str, Sequence[Sequence[Sample]]]) -> None:
    """Steps of the released code and ours by turns, on the same videos: those of each group, two a step."""
    from tests.benchmarks.released_actionformer import ReleasedTraining, video_of

    theirs, own = ReleasedTraining(folder), Training(copy.deepcopy(network))
    for what, pairs in groups.items():
        videos = [[video_of(sample) for sample in pair] for pair in pairs]
        batches = [detector_batch(pair, network.config) for pair in pairs]
        ways = [partial(each_of, theirs.step, videos), partial(each_of, own.step, batches)]
        released, ours = (spent / len(pairs) for spent in by_turns(ways, max(1, TURNS // len(pairs))))
        share = products(operations_of(network, batches)) / ours
        record(Row("actionformer", what, "the released code", released / ours, ours, share, 1.2, bound=PRODUCTS))


def loss_curves(network: ActionFormer, batch: dict[str, torch.Tensor], steps: int) -> None:
    """Losses of both precisions from the same start on the same batch."""
    for bfloat16 in (False, True):
        training = Training(copy.deepcopy(network), bfloat16)
        losses = " ".join(f"{training.step(batch):.3f}" for _ in range(steps))
        print(f"  losses in {'bfloat16' if bfloat16 else 'float32 '}: {losses}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=5, help="batches to measure")
    parser.add_argument("--curve", type=int, default=6, help="steps of the loss curves")
    asked = parser.parse_args()
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    config = ActionFormerConfig(CHANNELS, classes=20)
    network = ActionFormer(config).train()
    longest = config.max_length
    lengths = [min(longest, int(seconds * SNIPPETS_A_SECOND)) for seconds in SECONDS]
    pairs = pairs_of(lengths, generator)[: asked.pairs]
    samples = [random_sample(longest, generator) for _ in range(2)]
    full = detector_batch(samples, config)
    drawn = [[random_sample(n, generator) for n in pair] for pair in pairs]
    fitted = [detector_batch(pair, config) for pair in drawn]
    print(f"{torch.get_num_threads()} threads; reference on another machine: 3.04 s")
    of_full, of_fitted = operations_of(network, [full]), operations_of(network, fitted)
    if folder := os.environ.get("ACTIONFORMER_RELEASE"):
        padded_alike = f"ActionFormer, a step of 2 videos of {longest:,} snippets"
        against_released(
            Path(folder), network, {padded_alike: [samples], "ActionFormer, a step of 2 videos of THUMOS-14": drawn}
        )
    with plain_order():
        plain = epoch_cost(network, [full] * 2)
    print(f"padded to {longest}, plain, float32: {plain}")
    padded = epoch_cost(network, [full] * 2)
    print(f"padded to {longest}, float32:       {padded}; peak {peak_gigabytes():.1f} GB")
    what = f"ActionFormer, a step of 2 videos padded to {longest}"
    against = "layers as one would first write them"
    share = products(of_full) / padded.cpu
    record(Row("actionformer", what, against, plain.cpu / padded.cpu, padded.cpu, share, bound=PRODUCTS))
    for name, batches, work, bfloat16 in (
        ("padded, bfloat16", [full] * 2, of_full, True),
        ("as long as needed, float32", fitted, of_fitted, False),
        ("as long as needed, bfloat16", fitted, of_fitted, True),
    ):
        cost = epoch_cost(network, batches, bfloat16)
        share, bound = products(work, bfloat16) / cost.cpu, HALF if bfloat16 else PRODUCTS
        what, against = f"ActionFormer, a step of 2 videos, {name}", f"padded to {longest}, float32"
        record(Row("actionformer", what, against, padded.cpu / cost.cpu, cost.cpu, share, bound=bound))
    loss_curves(network, fitted[0], asked.curve)
    print(f"decoding and soft-NMS of {longest} snippets: {1000 * decoding_cost(longest).wall:.1f} ms")


if __name__ == "__main__":
    main()
