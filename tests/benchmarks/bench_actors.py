"""Steps of actor detection and the decoder that feeds them: ``python -m tests.benchmarks.bench_actors``.

What a semi-supervised step costs beside a supervised one on features (teacher, two views, balancing), and what decoding
costs a training on clips of pixels: from files against from memory, and the decoder's rate against the network's.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from methods.actor_detection.multi_label_semi import MultiLabelSemiSupervised
from methods.actor_detection.supervised import Supervised
from suite.data import load
from suite.data.video import ClipSource, write_video
from suite.method import Method
from tests.methods.actor_detection.worlds import clip_world, training

BUDGET = {"steps": 200, "semi_steps": 200, "evaluate_steps": 200, "lr": 0.1, "semi_lr": 0.01}
CLIPS = 24


def seconds(method: Method, data: object, device: str = "cpu") -> float:
    """Wall time of a training, its evaluations included."""
    loop = training(method, data, device=device)  # type: ignore[arg-type]
    start = time.perf_counter()
    loop.train()
    return time.perf_counter() - start


def filmed(folder: Path, keep: int, device: str = "cpu", decoders: int = 2, decoding: str = "software") -> float:
    """Wall time of training on clips of H.264 files, decoded every time they are drawn or kept in memory."""
    data = clip_world(clips=CLIPS)
    noise = np.random.default_rng(0).integers(0, 255, (80, 15, 20, 3)).astype(np.uint8)
    files = []
    for number in range(CLIPS):
        files.append(str(folder / f"{number}.mp4"))
        write_video(files[-1], np.roll(noise, number, axis=2).repeat(8, axis=1).repeat(8, axis=2))
    source = ClipSource(np.array(files), np.full(CLIPS, 40), frames=16, rate=2, short_side=64)
    splits = {name: replace(data.split(name), frames=source) for name in ("train", "validation", "test")}
    budget = {"steps": 12, "evaluate_steps": 12, "budget": "published", "batch": 4}
    network = {"width": 8, "beta_inverse": 2, "blocks": "1-1-1-1"}
    method = Supervised(**budget, **network, keep_decoded=keep, decoders=decoders, decoding=decoding)
    if keep:
        for actors in splits.values():
            decoder = method.inputs(data := replace(data, **splits)).decoder(actors)  # type: ignore[union-attr]
            decoder.known.update({clip: source.clip(clip) for clip in range(CLIPS)})
    return seconds(method, data if keep else replace(data, **splits), device)


def decoding(folder: Path) -> float:
    """Clips a second that one thread decodes from the files of :func:`filmed`."""
    files = np.array([str(path) for path in sorted(folder.glob("*.mp4"))])
    source = ClipSource(files, np.full(len(files), 40), frames=16, rate=2, short_side=64)
    start = time.perf_counter()
    for index in range(len(source)):
        source.clip(index)
    return len(files) / (time.perf_counter() - start)


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        data = load("planted-actors", cache=Path(name))
        seconds(Supervised(**BUDGET), data)  # compiles the evaluator
        plain, semi = seconds(Supervised(**BUDGET), data), seconds(MultiLabelSemiSupervised(**BUDGET), data)
        print(f"400 feature steps {plain:.1f} s; half of them semi-supervised {semi:.1f} s: {semi / plain:.2f} times")
        decoded, kept = filmed(Path(name), 0), filmed(Path(name), CLIPS)
        print(f"a narrow SlowFast from files {decoded:.1f} s, from memory {kept:.1f} s: {decoded / kept:.2f} times")
        trained = (48 + 2 * CLIPS) / kept
        rate = decoding(Path(name))
        print(f"decoding {rate:.0f} clips a second a thread, learning {trained:.0f}: {rate / trained:.1f} times")


if __name__ == "__main__":
    main()
