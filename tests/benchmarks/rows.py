"""Measured rows: printed, and added as lines of JSON to the file that the variable ``BENCHMARK_ROWS`` names."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch


@dataclass(frozen=True)
class Row:
    """``what`` took ``seconds`` of CPU time here, ``ratio`` times less than ``against`` in the same run.

    ``share`` is the part of the machine's measured ceiling that was reached, None where none was measured.
    """

    benchmark: str
    what: str
    against: str
    ratio: float
    seconds: float
    share: float | None = None


def record(row: Row) -> None:
    """Print ``row`` and keep it with the machine and the day, where the environment names a file."""
    share = "" if row.share is None else f", {row.share:.0%} of the ceiling"
    print(f"{row.what}: {row.seconds:.3g} s, {row.ratio:.2f} times as fast as {row.against}{share}", flush=True)
    if path := os.environ.get("BENCHMARK_ROWS"):
        line = {**asdict(row), "machine": machine(), "date": datetime.now(UTC).date().isoformat()}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def machine() -> str:
    """The processor, how many threads torch uses, and what MKL was restricted to."""
    names = [line.split(":", 1)[1].strip() for line in _processor() if line.startswith("model name")]
    limited = os.environ.get("MKL_ENABLE_INSTRUCTIONS")
    return f"{names[0] if names else 'unknown processor'}, threads: {torch.get_num_threads()}" + (
        f", MKL limited to {limited}" if limited else ""
    )


def _processor() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []
