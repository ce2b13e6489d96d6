"""Measure the numbers anew: ``python -m tests.drift [PYTHON ...] REASON``, the reason in words that CHANGELOG.md has.

Without a PYTHON ``numbers.json`` is written. With some, interpreters of other versions that have the suite's
dependencies, ``numbers-others.json``: what the same runs give there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.drift.runs import FILE, OTHERS, all_measured
from tests.drift.test_drift import CHANGELOG, TOLERANCE, plain

RUN = "tests.drift.runs"
VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def main(words: list[str]) -> None:
    """Write one of the files."""
    pythons = [word for word in words if Path(word).is_file()]
    reason = " ".join(word for word in words if word not in pythons)
    if not reason or plain(reason) not in plain(CHANGELOG.read_text(encoding="utf-8")):
        sys.exit("say why the numbers move, in words that CHANGELOG.md has.")
    if pythons:
        _write(OTHERS, reason, {_said(one, "-c", VERSION): json.loads(_said(one, "-m", RUN)) for one in pythons})
    else:
        _write(FILE, reason, all_measured())


def _said(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _write(file: Path, reason: str, numbers: dict[str, Any]) -> None:
    content = {"reason": reason, "tolerance": TOLERANCE, "numbers": numbers}
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
