"""Measure the numbers anew: ``python -m tests.drift "the reason, as CHANGELOG.md has it"``."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.drift.runs import FILE, RUNS, measured
from tests.drift.test_drift import CHANGELOG, TOLERANCE, plain


def main() -> None:
    """Write ``numbers.json``."""
    reason = " ".join(sys.argv[1:])
    if not reason or plain(reason) not in plain(CHANGELOG.read_text(encoding="utf-8")):
        sys.exit("say why the numbers move, in words that CHANGELOG.md has.")
    with tempfile.TemporaryDirectory() as folder:
        numbers = {name: measured(name, Path(folder)) for name in RUNS}
    content = {"reason": reason, "tolerance": TOLERANCE, "numbers": numbers}
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
