"""A disk that fails, fills up or takes the process with it at every n-th change of a file: nothing lost or repeated."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]

HERE = Path(__file__).parent
STEP = os.environ.get("FAULT_STEP", "8")  # 1: every call, 20 minutes of a core; 8@2: every eighth from the second on


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The failing file system, compiled."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and preloading")
    made = tmp_path_factory.mktemp("failing") / "failing.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, HERE / "failing.c", "-ldl"], check=True)
    return made


def records(library: Path, folder: Path, mode: str, kind: str) -> list[dict[str, Any]]:
    """What became of a command under faults of a mode."""
    command = [sys.executable, "-m", "tests.trust.faults", str(folder), mode, STEP, kind]
    environment = {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=HERE.parents[1], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("mode", ["once", "full", "kill"])
@pytest.mark.parametrize("kind", ["train", "compact", "page"])
def test_the_same_command_goes_on(library: Path, tmp_path: Path, kind: str, mode: str) -> None:
    (record,) = records(library, tmp_path, mode, kind)
    if folder := os.environ.get("SURVIVAL_RECORDS"):
        with Path(folder, "faults.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    assert record["tried"] >= record["calls"] // int(STEP.partition("@")[0]) > 0
    assert record["tried"] == record["went_on"] + record["sentence"] + record["killed"]
    assert not record["lost"] and not record["repeated"] and not record["tracebacks"], record
