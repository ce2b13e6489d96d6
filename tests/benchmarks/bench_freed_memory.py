"""What keeping freed memory for the next step saves: ``python -m tests.benchmarks.bench_freed_memory [--steps 2]``.

CPU seconds of training steps, part of which are the system's where large arrays come from it anew each time, and
the most that the process held; each measured in a process of its own, by turns with and without.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import torch

from methods.networks.slowfast import SlowFast
from suite.work.memory import Watched, reuse_freed
from tests.benchmarks.ceilings import PRODUCTS, operations, products
from tests.benchmarks.rows import Row, record

TURNS, WIDTH, CLIPS = 2, 8, (8, 3, 32, 224, 224)


def measured(steps: int, kept: bool) -> tuple[float, float, float]:
    """CPU seconds of ``steps`` steps of a narrow SlowFast on clips, GiB held at most, and the share of its products."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if kept:
        reuse_freed()
    network, watched = SlowFast(width=WIDTH, blocks=(1, 1, 1, 1), beta_inverse=2), Watched("cpu")
    clip = torch.rand(CLIPS)

    def step() -> None:
        slow, fast = network((clip - 0.45) / 0.225)
        (slow.mean() + fast.mean()).backward()

    step()
    start = time.process_time()
    for _ in range(steps):
        step()
    seconds, held = time.process_time() - start, watched.gib() or float("nan")
    return seconds, held, products(operations(step)) * steps / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2)
    steps, spawn = parser.parse_args().steps, multiprocessing.get_context("spawn")
    best: dict[bool, tuple[float, float, float]] = {}
    for kept in [True, False] * TURNS:
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            found = pool.submit(measured, steps, kept).result()
        best[kept] = min(best.get(kept, found), found)
    (seconds, held, share), (before, held_before, _) = best[True], best[False]
    what = f"a step of SlowFast, width {WIDTH}, {' x '.join(map(str, CLIPS))}"
    against = "with memory of the system each time"
    record(Row("freed_memory", what, against, before / seconds, seconds / steps, share, bound=PRODUCTS))
    print(f"  {held:.2f} GiB held at most, {held_before:.2f} before")


if __name__ == "__main__":
    main()
