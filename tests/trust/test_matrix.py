"""The wheel works where the checkout is not, in a folder with an odd name, and beside another ``datasets``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trust.matrix import BESIDE, ROOT, STAND_IN, interpreter, linked


def test_another_package_called_datasets_is_found_from_the_checkout_too(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text(STAND_IN)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    done = subprocess.run(
        [sys.executable, "-c", BESIDE], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(ROOT)


def test_a_python_that_is_not_there_is_none() -> None:
    assert interpreter("3.99") is None
    assert interpreter(f"{sys.version_info[0]}.{sys.version_info[1]}") is not None


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_wheel_works_outside_the_checkout(tmp_path: Path) -> None:
    assert ["works" in line for line in linked(tmp_path)] == [True]
