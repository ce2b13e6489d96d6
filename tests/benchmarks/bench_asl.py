"""Action Selection Learning: each distinct snippet once against every sampled position, and inference with evaluation.

``python -m tests.benchmarks.bench_asl [--steps N] [--device cuda]``. Lengths are those of the THUMOS-14 training videos
where the annotations are at hand (``SUITE_DATA``), else drawn from the log-normal law fitted to them. Times on a CPU
are CPU seconds; ratios are of medians measured in this run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from methods.weak_localization.action_selection import ActionSelection
from methods.weak_localization.parts.distinct import once
from methods.weak_localization.parts.networks import ActionSelectionNet
from methods.weak_localization.parts.sampling import random_rows
from methods.weak_localization.parts.selection import (
    classification_loss,
    generalized_cross_entropy,
    pool,
    selected_positions,
    top_k,
)
from methods.weak_localization.parts.selection_localizer import fused
from suite.evaluate.segments import Segments
from suite.method import Run
from suite.tasks import task
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from tests.benchmarks.ceilings import HALF, PRODUCTS, operations, products
from tests.benchmarks.rows import Row, record

ANNOTATIONS = "thumos14/thumos14_412.json"
WIDTH, HIDDEN, CLASSES, POSITIONS, BATCH = 2048, 512, 20, 750, 16


def durations(subset: str) -> np.ndarray:
    """Seconds of the THUMOS-14 videos of a subset, or of as many drawn from the fitted law."""
    root = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
    if (root / ANNOTATIONS).is_file():
        database = json.loads((root / ANNOTATIONS).read_text())
        return np.array([video["duration"] for video in database.values() if video["subset"] == subset])
    count = 200 if subset == "validation" else 212
    return np.exp(4.97 + 0.87 * np.random.default_rng(0).standard_normal(count))


def lengths(subset: str) -> np.ndarray:
    """Snippets of 16 frames at 25 fps in each video."""
    return np.maximum(1, (durations(subset) * 25 / 16).astype(np.int64))


def clock(device: str) -> float:
    """CPU seconds where the CPU computes, else seconds."""
    return time.process_time() if device == "cpu" else time.perf_counter()


class Training:
    """A resident training set, a network with its optimizer, and steps in both forms."""

    def __init__(self, device: str) -> None:
        self.count, generator = lengths("validation"), torch.Generator().manual_seed(0)
        self.first = np.concatenate([[0], np.cumsum(self.count)])
        self.store = torch.rand(int(self.count.sum()), WIDTH, generator=generator).to(device)
        self.workspace = torch.empty(BATCH * POSITIONS, WIDTH, device=device)
        self.labels = torch.eye(CLASSES)[torch.randint(CLASSES, (len(self.count),), generator=generator)].to(device)
        self.network = ActionSelectionNet(WIDTH, HIDDEN, CLASSES).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-4, weight_decay=5e-4)

    def batch(self, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        videos = generator.choice(len(self.count), BATCH, replace=False)
        index = self.first[videos, None] + random_rows(self.count[videos], POSITIONS, generator)
        return torch.from_numpy(index).to(self.store.device), self.labels[videos]

    def step(self, index: torch.Tensor, labels: torch.Tensor, distinct: bool, half: bool) -> float:
        with torch.autocast(index.device.type, torch.bfloat16, enabled=half):
            return self.compute(index, labels, distinct)

    def compute(self, index: torch.Tensor, labels: torch.Tensor, distinct: bool) -> float:
        scores = once(self.network, self.store, index, self.workspace) if distinct else self.network(self.store[index])
        with torch.no_grad():
            chosen = top_k(fused(scores.logits.softmax(-1), scores.actionness, "fused", 2 / 3), 8)
            mask = selected_positions(chosen, labels, POSITIONS)
        loss = classification_loss(pool(scores.logits, chosen), labels)
        for actionness in scores.actionness.unbind(-1):
            loss = loss + generalized_cross_entropy(actionness, mask, 0.7)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())


def training_seconds(steps: int, device: str) -> dict[str, float]:
    """Median seconds of a step in each form, taken in turns."""
    training, generator = Training(device), np.random.default_rng(0)
    forms = {"every": (False, False), "distinct": (True, False), "bfloat16": (True, True)}
    times: dict[str, list[float]] = {form: [] for form in forms}
    for step in range(steps + 1):
        index, labels = training.batch(generator)
        for form, (distinct, half) in forms.items():
            began = clock(device)
            training.step(index, labels, distinct, half)
            if step:  # the first round warms up
                times[form].append(clock(device) - began)
    seconds = {form: statistics.median(taken) for form, taken in times.items()}
    return seconds | {"operations": operations(lambda: training.step(index, labels, True, False))}


def inference_seconds(device: str) -> dict[str, float]:
    """Seconds to score, localize and evaluate 210 videos of THUMOS-14 lengths, network of the published size."""
    count = lengths("test")[:210]
    samples = test_split(count)
    method, torch_device = ActionSelection(), torch.device(device)
    network = ActionSelectionNet(WIDTH, HIDDEN, CLASSES).to(device).eval()
    data = TaskData("bench", method.task, tuple(map(str, range(CLASSES))), samples, samples, samples)
    run = Run(data, network, 0, torch_device, lambda name, value: None, lambda key, make: make())
    warm = method.decode(method.score(network, few(samples), run), few(samples))
    task(method.task).evaluate(warm, few(samples), data)
    began = clock(device)
    with torch.no_grad():
        scores = method.score(network, samples, run)
    scored = clock(device)
    found = method.decode(scores, samples)
    decoded = clock(device)
    task(method.task).evaluate(found, samples, data)
    ended = clock(device)
    parts = {"score": scored - began, "localize": decoded - scored, "evaluate": ended - decoded}
    with torch.no_grad():
        work = operations(lambda: method.score(network, samples, run))
    counts = {"operations": work, "videos": float(len(count)), "detections": float(len(found))}
    return {**parts, "total": ended - began, **counts}


def few(samples: Videos) -> Videos:
    return samples.take(np.arange(2))


def test_split(count: np.ndarray) -> Videos:
    """Random features and fifteen segments a video."""
    generator, videos = np.random.default_rng(0), len(count)
    seconds = count * 16 / 25
    owner = np.repeat(np.arange(videos), 15)
    start = generator.uniform(0, 0.9, len(owner)) * seconds[owner]
    segments = Segments(owner, generator.integers(0, CLASSES, len(owner)), start, start + 3)
    labels = np.zeros((videos, CLASSES), bool)
    labels[segments.video, segments.label] = True
    return Videos(
        ids=np.arange(videos).astype(str),
        rows=generator.random((int(count.sum()), WIDTH), dtype=np.float32),
        offsets=np.concatenate([[0], np.cumsum(count)]),
        fps=np.full(videos, 25.0),
        stride=np.full(videos, 16.0),
        window=np.full(videos, 16.0),
        duration=seconds,
        video_labels=labels,
        segments=segments,
        labelled=np.ones(videos, bool),
        unit=np.arange(videos).astype(str),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    training = training_seconds(options.steps, options.device)
    inference = inference_seconds(options.device)
    what, against = "ASL, a training step of 16 videos of THUMOS-14", "every sampled snippet"
    seconds, half = training["distinct"], training["bfloat16"]
    share = products(training["operations"]) / seconds
    record(Row("asl", what, against, training["every"] / seconds, seconds, share, 5.0, bound=PRODUCTS))
    what, share = f"{what}, --precision bfloat16", products(training["operations"], half=True) / half
    record(Row("asl", what, f"{against} in float32", training["every"] / half, half, share, bound=HALF))
    what = f"ASL, inference and evaluation of {inference['videos']:.0f} videos"
    share = products(inference["operations"]) / inference["total"]
    record(Row("asl", what, "", None, inference["total"], share, least=0.9, bound=PRODUCTS))
    print(", ".join(f"{part} {inference[part]:.3g} s" for part in ("score", "localize", "evaluate")))


if __name__ == "__main__":
    main()
