"""Measured rows: printed, and added as lines of JSON to the file that the variable ``BENCHMARK_ROWS`` names."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """``what`` took ``seconds`` here, ``ratio`` times less than ``against`` in the same run.

    ``share`` is the part of the machine's measured ceiling that was reached, the seconds of ``bound`` over ours; None
    where nothing bounds the work, which ``bound`` then explains. ``target`` is the ratio that is aimed at; with
    ``least`` the number of seconds, which then has no ratio.
    """

    benchmark: str
    what: str
    against: str
    ratio: float | None
    seconds: float
    share: float | None = None
    target: float | None = None
    least: float | None = None
    bound: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target was reached; None without one."""
        if self.least is not None:
            return self.seconds <= self.least
        return None if self.target is None or self.ratio is None else self.ratio >= self.target


@dataclass(frozen=True)
class Growth:
    """The ``seconds`` of CPU time of ``what`` at some ``sizes`` of ``axis`` go like size to the ``exponent``."""

    benchmark: str
    what: str
    axis: str
    sizes: Sequence[int]
    seconds: Sequence[float]
    exponent: float


def record(row: Row) -> None:
    """Print ``row`` and keep it with the machine and the day, where the environment names a file."""
    parts = [f"{row.what}: {row.seconds:.3g} s"]
    parts += [] if row.ratio is None else [f"{row.ratio:.2f} times as fast as {row.against}"]
    parts += [] if row.share is None else [f"{shown(row.share)} of the ceiling ({row.bound})"]
    parts += [] if row.reached is None else [f"target {row.target or row.least:g}"]
    print(", ".join(parts), flush=True)
    _keep({"kind": "row", **asdict(row)})


def shown(share: float) -> str:
    """A share as a percentage, to the tenth where it is below ten."""
    return f"{share:.0%}" if share >= 0.095 else f"{share:.1%}"


def grown(benchmark: str, what: str, axis: str, work: Callable[[int], Callable[[], Any]], sizes: Sequence[int]) -> None:
    """Measure what ``work(size)`` returns at each of the ``sizes``, print the fitted exponent and keep it."""
    seconds = [least(work(size)) for size in sizes]
    exponent = fitted(sizes, seconds)
    times = ", ".join(f"{size:,}: {taken:.3g} s" for size, taken in zip(sizes, seconds))
    print(f"{what}, {axis} {times}; exponent {exponent:.2f}", flush=True)
    _keep({"kind": "growth", **asdict(Growth(benchmark, what, axis, list(sizes), seconds, exponent))})


def fitted(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """The slope of log seconds over log size, by least squares."""
    import numpy as np

    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def least(work: Callable[[], object], repeats: int = 3) -> float:
    """The least CPU seconds of some calls; the first is left out: it compiles and fills caches."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds and result of one call."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def machine() -> str:
    """The processor, how many threads it has here and a computation takes, and what MKL was restricted to."""
    names = [line.split(":", 1)[1].strip() for line in _processor() if line.startswith("model name")]
    limited, threads = os.environ.get("MKL_ENABLE_INSTRUCTIONS"), os.environ.get("OMP_NUM_THREADS", "all")
    found = f"{names[0] if names else 'unknown processor'}, {os.cpu_count()} threads, {threads} for a computation"
    return found + (f", MKL limited to {limited}" if limited else "")


def _keep(line: dict[str, Any]) -> None:
    if path := os.environ.get("BENCHMARK_ROWS"):
        dated = {**line, "machine": machine(), "date": datetime.now(UTC).date().isoformat()}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(dated) + "\n")


def _processor() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []
