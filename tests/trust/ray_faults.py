"""Boards and sweeps on Ray, one of whose workers has a file system that fails at the n-th change of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.trust.faults import MODES, Record, differing, numbers
from tests.work.drivers import WORLD, Driver

METHODS = Path(__file__).parent / "trapped.py"
RUNS = 6
TRIES = 4
BOARD = f"""
name = "trapped"
title = "Trapped"
[[tables]]
title = "T"
task = "recognition"
datasets = ["{WORLD}"]
methods = ["trapped"]
seeds = {RUNS}
"""
SWEEP = f"""
name = "trapped"
title = "Trapped"
about = "A grid."
methods = ["trapped"]
datasets = ["{WORLD}"]
sampler = "grid"
seeds = 1
[space]
q = [0.1, 0.6, 0.9]
beta = [0.3, 0.7]
"""
KINDS = {"ray board": ("leaderboard", BOARD), "ray sweep": ("sweep", SWEEP)}


def started(folder: Path, kind: str, library: Path, n: int | None, mode: str = "once") -> tuple[int, str]:
    """The command on two workers, in ``folder``, with a fault at call ``n`` (0: none, counted; None: none).

    Once more where a busy machine did not start Ray in time.
    """
    marks, (command, text) = folder / "marks", KINDS[kind]
    marks.mkdir(parents=True, exist_ok=True)
    file = folder / "trapped.toml"
    file.write_text(text)
    own = {"SUITE_METHODS": str(METHODS), "XDG_DATA_HOME": str(folder / "home")}
    if n is not None:
        trap = f"{marks}:{folder / 'outputs' / 'ledger'}:{MODES[mode]}:{n}"
        own |= {"LD_PRELOAD": str(library), "TRAP": trap}
    for _ in range(TRIES):
        driver = Driver(folder, [command, str(file), "--jobs", "2", "--json"], **own)
        driver.wait_for_end()
        if "Ray could not start" not in driver.said():
            break
    return driver.process.returncode, driver.said()


def reference(folder: Path, kind: str, library: Path) -> tuple[int, Any]:
    """How often a worker changed files of the ledger before its last training, and what is recorded in the end."""
    code, said = started(folder, kind, library, 0)
    assert code == 0, said
    counts = [int(mark.read_text()) for mark in (folder / "marks").iterdir()]
    return max(counts), numbers(folder / "outputs")


def try_on_ray(folder: Path, kind: str, library: Path, modes: Sequence[str], count: int) -> list[Record]:
    """Faults of each mode at ``count`` calls, spread evenly; each time followed by the same command without one."""
    calls, wanted = reference(folder / "whole", kind, library)
    found = []
    for mode in modes:
        record = Record(kind, mode, calls)
        for at in sorted({1 + calls * (2 * n + 1) // (2 * count) for n in range(count)}):
            own = folder / f"{mode}-{at}"
            code, said = started(own, kind, library, at, mode)
            record.tried += 1
            assert (own / "marks" / "taken").exists(), f"no worker trained anything: {code}, {said}"
            # A worker that is killed is started anew by the driver, which goes on.
            record.went_on += code == 0
            record.sentence += code in (1, 2) and "suite: " in said
            if "Traceback" in said or "panicked" in said or "a defect of the suite" in said:
                record.tracebacks.append(f"{at}: {said[-700:]}")
            code, later = started(own, kind, library, None)
            now = numbers(own / "outputs")
            if now["finished"] > wanted["finished"]:
                record.repeated.append(str(at))
            elif code != 0 or _rows(now) != _rows(wanted):
                record.lost.append(f"{at}: {said[-300:]} | {code} {later[-300:]} {differing(now, wanted)}")
        found.append(record)
    return found


def _rows(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "pages"}
