"""The wheel outside the checkout: what is shipped is found, and commands work."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = "planted-verbs[train=200,validation=60,test=60,channels=8]"
CODE = """
import suite
print(suite.__file__)
run = suite.train("mask-bce", "{}", epochs=2, hidden=16)
print(run.model().predict_dataset(places=run.places).write(__import__("pathlib").Path("found.parquet")))
print(suite.evaluate("found.parquet", dataset="{}", resamples=0).metrics["value"][0] == run.headline)
"""


def call(place: Path, *words: str) -> str:
    told = {**os.environ, "PYTHONPATH": str(place / "installed"), "SUITE_OUTPUTS": "outputs", "SUITE_METHODS": ""}
    done = subprocess.run([sys.executable, *words], cwd=place, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_wheel_works_outside_the_checkout(tmp_path: Path):
    if int(version("setuptools").partition(".")[0]) < 77:
        pytest.skip("setuptools 77 or newer builds the wheel, and is not installed")
    pip = (
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(tmp_path / "installed"),
    )
    source = tmp_path / "source"
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout, whose files are packed")
    for name in listed.stdout.splitlines():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, *pip, str(source)], cwd=tmp_path, check=True)
    installed = tmp_path / "installed" / "suite"
    assert (installed / "py.typed").is_file() and (installed / "shipped" / "datasets" / "hapt.toml").is_file()
    lines = call(tmp_path, "-c", CODE.format(SMALL, SMALL)).splitlines()
    assert lines[0] == str(installed / "__init__.py") and lines[2] == "True"
    main = ("-c", "import sys; sys.argv[0] = 'suite'; from suite.cli import main; main()")
    assert "neighbours" in call(tmp_path, *main, "list", "sweeps")
    assert "planted-verbs" in call(tmp_path, *main, "list", "datasets")
    assert "mask-bce" in call(tmp_path, *main, "list", "methods")
