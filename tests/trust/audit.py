"""Known advisories against the pinned dependencies: ``python -m tests.trust.audit`` asks pip-audit.

Exits 1 only where an advisory is known. Without pip-audit, or where the advisories cannot be reached, it says so in one
sentence and exits 0: that says nothing against the dependencies.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

PINNED = Path(__file__).resolve().parents[2] / "constraints.txt"
COMMAND = (sys.executable, "-m", "pip_audit", "-r", str(PINNED), "--no-deps", "--disable-pip", "--format", "json",
           "--progress-spinner", "off")  # fmt: skip

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def asked(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """The command, run."""
    return subprocess.run(command, capture_output=True, text=True)


def audit(run: Run = asked) -> tuple[int, str]:
    """The exit status, and what there is to say."""
    done = run(COMMAND)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        return 0, f"not audited: the advisories cannot be reached ({reason[:200]})."
    skipped = [one["name"] for one in found if "skip_reason" in one]
    if found and len(skipped) == len(found):  # an index of packages alone, without advisories
        return 0, f"not audited: the index knows none of {len(found)} dependencies ({found[0]['skip_reason'][:200]})."
    known = [f"{one['name']} {one['version']}: {bug['id']}, fixed in {', '.join(bug['fix_versions']) or 'no release'}"
             for one in found for bug in one.get("vulns", ())]  # fmt: skip
    told = [*known, f"{len(found) - len(skipped)} dependencies audited, {len(known)} advisories known"]
    if skipped:
        told[-1] += f"; not on the index: {', '.join(skipped)}"
    return int(bool(known)), "\n".join(told) + "."


if __name__ == "__main__":
    if importlib.util.find_spec("pip_audit") is None:
        print("not audited: pip-audit is not installed here; pip install pip-audit.")
        sys.exit(0)
    code, text = audit()
    print(text)
    sys.exit(code)
