"""The steps of the image, run as a script in a clean folder: the package and nothing of this checkout's environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = [
    line[1:]
    for line in (ROOT / "cluster" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    if line.startswith("!")
]

pytestmark = pytest.mark.slow


@pytest.mark.timeout(1800)
def test_the_steps_of_the_image_give_a_suite_that_works(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "opt"
    source.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, source / part)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "SUITE_"))}
    environment["PYTHON"] = sys.executable
    install = [str(source / "cluster" / "install.sh"), str(target)]
    made = subprocess.run(install, env=environment, capture_output=True, text=True, timeout=1500, check=False)
    assert made.returncode == 0, made.stderr
    device = "cpu" if "installed for cpu" in made.stdout else "cuda"
    wrong = subprocess.run(
        [*install, "cuda" if device == "cpu" else "cpu"], env=environment, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1 and "TORCH_INDEX" in wrong.stderr
    shutil.rmtree(source)  # what is installed stands by itself
    listed = subprocess.run(
        [str(target / "bin" / "suite"), "list", "sweeps"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert listed.returncode == 0 and "neighbours" in listed.stdout, listed.stderr
    submit = [str(target / "bin" / "ray"), "job", "submit", "--help"]
    assert "--working-dir" in subprocess.run(submit, env=environment, capture_output=True, text=True, check=True).stdout
