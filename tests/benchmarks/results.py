"""The page of all benchmarks: ``python -m tests.benchmarks results [NAME ...] [--limit SECONDS]``.

Each benchmark runs in a process of its own and leaves ``results/NAME.json``; the page, ``RESULTS.md``, is written from
all of these, so that some can be measured again without the others. ``results --page`` measures nothing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from tests.benchmarks.page import written
from tests.benchmarks.rows import machine

HERE = Path(__file__).parent
KEPT, PAGE, MISSED, README = HERE / "results", HERE / "RESULTS.md", HERE / "missed.md", HERE.parents[1] / "README.md"
LIMIT = 90.0  # seconds for one benchmark
LONG = {
    "boards": 180.0,
    "cluster_simulation": 150.0,
    "start": 150.0,
    "growth": 150.0,
    "freed_memory": 150.0,
    "sweep": 240.0,
    "sweep_scaling": 240.0,
    "actionformer": 600.0,
    "bmn": 180.0,
    "predictions": 240.0,
    "neighbours_large": 4800.0,
}
LOG = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+\t[A-Z]+ ")  # a line of Ray's log
FIRST, LAST = "<!-- benchmarks -->", "<!-- end of benchmarks -->"


def main(names: Sequence[str], known: Sequence[str], usual: Sequence[str]) -> None:
    """Measure those of ``names`` that are ``known`` (the ``usual`` ones where empty) and write the page."""
    limit = float(names[names.index("--limit") + 1]) if "--limit" in names else None
    page_only = "--page" in names
    asked = [n for n in names if not n.startswith("--") and n in known] or ([] if page_only else list(usual))
    KEPT.mkdir(exist_ok=True)
    for name in asked:
        found = measured(name, limit or LONG.get(name, LIMIT))
        (KEPT / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {found['ended']} after {found['seconds']:.0f} s, {len(found['rows'])} rows", flush=True)
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(KEPT.glob("*.json"))]
    missed = MISSED.read_text(encoding="utf-8") if MISSED.exists() else ""
    page, short = written(kept, missed)
    PAGE.write_text(page, encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    if FIRST in text and LAST in text:
        before, _, rest = text.partition(FIRST)
        README.write_text(f"{before}{FIRST}\n{short}\n{LAST}{rest.partition(LAST)[2]}", encoding="utf-8")
    print(PAGE)


def said(text: str) -> list[str]:
    """The lines that a benchmark printed before it failed or was stopped: a stack names folders of the machine."""
    lines = takewhile(lambda line: "Traceback (most recent call last)" not in line, text.splitlines())
    return [line.rstrip() for line in lines if line.strip() and not line.startswith("==") and not LOG.match(line)]


def measured(name: str, limit: float) -> dict[str, Any]:
    """What a benchmark records and prints within ``limit`` seconds, and how it ended."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        environment = {**os.environ, "BENCHMARK_ROWS": str(rows), "PYTHONUNBUFFERED": "1"}
        command, started = [sys.executable, "-m", "tests.benchmarks", name], time.monotonic()
        length = -1  # all
        with (Path(folder) / "printed").open("w+b") as printed:
            process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT, env=environment)
            try:
                code = process.wait(limit)
                ended = "finished" if code == 0 else f"failed with status {code}"
            except subprocess.TimeoutExpired:
                length = os.fstat(printed.fileno()).st_size  # what it says of its end is no measurement
                process.terminate()
                process.wait()
                ended = f"stopped at its limit of {limit:.0f} s"
            printed.seek(0)
            lines = said(printed.read(length).decode("utf-8", "replace"))
        recorded = rows.read_text(encoding="utf-8").splitlines() if rows.exists() else []
    return {
        "benchmark": name,
        "ended": ended,
        "seconds": time.monotonic() - started,
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "rows": [json.loads(line) for line in recorded],
        "printed": lines[-40:],
    }
