"""All that a CUDA device can tell, in at most nine minutes: ``python -m tests.gpu`` or ``make bench-gpu``.

Writes gpu-report.json and prints a table as it goes, the most important first; a stop at any moment leaves what was
measured. Needs this checkout, Python, torch and NumPy; parts that need more are skipped by name.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from tests.gpu import agreement, neighbours, speed, training
from tests.gpu.report import Report

Part = Callable[[Report, str, bool], None]
PARTS: dict[str, Part] = {
    "agreement": lambda report, device, full: agreement.networks(report, device),
    "rules": lambda report, device, full: agreement.rules(report, device),
    "speed": lambda report, device, full: speed.steps(report, device, full),
    "methods": lambda report, device, full: training.methods(report, device),
    "neighbours": lambda report, device, full: neighbours.neighbours(report, device, full),
    "decoding": lambda report, device, full: training.decoding(report, device),
    "transfers": lambda report, device, full: training.transfers(report, device),
}
SECONDS = 9 * 60


def facts(device: str) -> dict[str, object]:
    """The device and the libraries."""
    found: dict[str, object] = {"python": platform.python_version(), "torch": torch.__version__, "device": device}
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        found |= {
            "name": properties.name,
            "capability": f"{properties.major}.{properties.minor}",
            "memory GiB": round(properties.total_memory / 2**30, 1),
            "multiprocessors": properties.multi_processor_count,
            "cuda": torch.version.cuda,
            "driver": torch._C._cuda_getDriverVersion(),
        }
    return found


def main() -> None:
    """Measure the parts in order; exit 1 where a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu to try the program itself")
    parser.add_argument("--small", action="store_true", help="small sizes everywhere, to try the program itself")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="begin nothing after this long")
    parser.add_argument("--out", type=Path, default=Path("gpu-report.json"), help="where the report goes")
    asked = parser.parse_args()
    unknown = [part for part in asked.parts if part not in PARTS]
    if unknown:
        sys.exit(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}.")
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device here; --device cpu --small tries the program itself.")
    report = Report(asked.out, asked.seconds, facts(asked.device))
    print("  ".join(f"{name} {value}" for name, value in report.facts.items()), flush=True)
    for name in asked.parts or PARTS:
        report.part(name, partial(PARTS[name], report, asked.device, not asked.small))
    report.write()
    print(f"{len(report.rows)} measurements, {len(report.failures)} beyond their bounds, in {asked.out}")
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
