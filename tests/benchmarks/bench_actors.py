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
from tests.benchmarks.ceilings import PRODUCTS, operations, products
from tests.benchmarks.rows import Row, record
from tests.methods.actor_detection.worlds import clip_world, training

BUDGET = {"steps": 200, "semi_steps": 200, "evaluate_steps": 200, "lr": 0.1, "semi_lr": 0.01}
CLIPS = 24
DRAWN = 48 + 2 * CLIPS  # clips of a training's steps, and of two evaluations


def seconds(method: Method, data: object, device: str = "cpu") -> float:
    """CPU time of a training, or wall time where a device computes; its evaluations included."""
    loop = training(method, data, device=device)  # type: ignore[arg-type]
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    loop.train()
    return clock() - start


def filmed(folder: Path, keep: int, device: str = "cpu", decoders: int = 2, decoding: str = "software") -> float:
    """Seconds of training on clips of H.264 files, decoded every time they are drawn or kept in memory."""
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
    start = time.process_time()
    for index in range(len(source)):
        source.clip(index)
    return len(files) / (time.process_time() - start)


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        data = load("planted-actors", cache=Path(name))
        seconds(Supervised(**BUDGET), data)  # compiles the evaluator
        plain, semi = seconds(Supervised(**BUDGET), data), seconds(MultiLabelSemiSupervised(**BUDGET), data)
        share = products(operations(lambda: seconds(Supervised(**BUDGET), data))) / plain
        record(Row("actors", "400 steps on features", "", None, plain, share, bound=PRODUCTS))
        share = products(operations(lambda: seconds(MultiLabelSemiSupervised(**BUDGET), data))) / semi
        what = "400 steps on features, half of them semi-supervised"
        record(Row("actors", what, "supervised steps", plain / semi, semi, share, bound=PRODUCTS))
        decoded, kept = filmed(Path(name), 0), filmed(Path(name), CLIPS)
        share = products(operations(lambda: filmed(Path(name), CLIPS))) / decoded
        what = f"a narrow SlowFast from files, {DRAWN} clips"
        record(Row("actors", what, "from memory", kept / decoded, decoded, share, bound=PRODUCTS))
        rate, learnt = decoding(Path(name)), DRAWN / kept
        print(f"  decoding {rate:.0f} clips a second a thread, learning {learnt:.0f}: {rate / learnt:.1f} times")


if __name__ == "__main__":
    main()
