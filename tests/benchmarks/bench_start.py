"""Seconds of CPU until the first answer: completion, listings and imports, the least of five processes each."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile

from tests.benchmarks.rows import Row, record

TIMES = 5
MAIN = "import sys; sys.argv = ['suite', *{words!r}]; from suite.cli import main; main()"
SHELL = {
    "_SUITE_COMPLETE": "complete_bash",
    "COMP_WORDS": "suite train mask-bce planted-verbs --set t",
    "COMP_CWORD": "5",
}
ASKED: dict[str, tuple[str, dict[str, str]]] = {
    "import suite": ("import suite", {}),
    "import suite.evaluate": ("import suite.evaluate", {}),
    "completion of --set": (MAIN.format(words=[]), SHELL),
    "suite --version": (MAIN.format(words=["--version"]), {}),
    "suite list methods": (MAIN.format(words=["list", "methods"]), {}),
    "suite list datasets": (MAIN.format(words=["list", "datasets"]), {}),
    "suite list sweeps": (MAIN.format(words=["list", "sweeps"]), {}),
    "suite plan quick": (MAIN.format(words=["plan", "quick"]), {}),
    "suite report quick": (MAIN.format(words=["report", "quick"]), {}),
}
LEAST = {title: 0.3 for title in ASKED if title.startswith(("completion", "suite list", "suite plan"))}


def seconds(code: str, environment: dict[str, str]) -> float:
    """CPU seconds of a process that runs ``code``; a machine under load charges more than the least of several."""
    found = []
    for _ in range(TIMES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def main() -> None:
    """Print a line for each, with modules compiled before, as everybody has them from the second command on."""
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        _measure({**usual, "PYTHONPYCACHEPREFIX": folder})


def _measure(environment: dict[str, str]) -> None:
    python, name = seconds("pass", environment), "python alone"
    record(Row("start", name, "", None, python, 1.0, bound=name))
    for title, (code, more) in ASKED.items():
        taken = seconds(code, environment | more)
        record(Row("start", title, "", None, taken, python / taken, least=LEAST.get(title), bound=name))


if __name__ == "__main__":
    main()
