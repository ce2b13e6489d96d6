"""What keeping freed memory for the next step saves: ``python -m tests.benchmarks.bench_freed_memory [--steps 4]``.

CPU seconds of training steps, part of which are the system's where large arrays come from it anew each time, and
the most that the process held; each measured in a process of its own, by turns with and without.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import torch
from torch import Tensor

from methods.networks.slowfast import SlowFast
from methods.weak_localization.parts.basnet_network import BaSNetNet
from suite.work.memory import Watched, reuse_freed
from tests.benchmarks.rows import Row, record

TURNS = 2


def clips() -> Callable[[], Tensor]:
    """A narrow SlowFast on 8 clips of 32 frames."""
    network, clip = SlowFast(width=8, blocks=(1, 1, 1, 1), beta_inverse=2), torch.rand(8, 3, 32, 224, 224)
    return lambda: sum(maps.mean() for maps in network((clip - 0.45) / 0.225))  # type: ignore[return-value]


def snippets() -> Callable[[], Tensor]:
    """BaSNet's convolutions, a quarter as wide, on 16 videos."""
    network, features = BaSNetNet(512, 128, 512, 20), torch.rand(16, 750, 512)
    return lambda: network(features).base.mean()


CASES = {"SlowFast, width 8, 8 clips of 32 x 224 x 224": clips, "BaSNet, 512 channels, 16 x 750 snippets": snippets}


def measured(case: str, steps: int, kept: bool) -> tuple[float, float]:
    """CPU seconds of ``steps`` steps of a case, and GiB held at most."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if kept:
        reuse_freed()
    loss, watched = CASES[case](), Watched("cpu")
    loss().backward()
    start = time.process_time()
    for _ in range(steps):
        loss().backward()
    return time.process_time() - start, watched.gib() or float("nan")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=4)
    steps = parser.parse_args().steps
    spawn = multiprocessing.get_context("spawn")
    for case in CASES:
        best: dict[bool, tuple[float, float]] = {}
        for kept in [True, False] * TURNS:
            with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                found = pool.submit(measured, case, steps, kept).result()
            best[kept] = min(best.get(kept, found), found)
        (seconds, held), (before, held_before) = best[True], best[False]
        record(Row("freed_memory", f"a step of {case}", "memory of the system", before / seconds, seconds / steps))
        print(f"  {held:.2f} GiB held at most, {held_before:.2f} before")


if __name__ == "__main__":
    main()
