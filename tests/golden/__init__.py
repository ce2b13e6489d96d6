"""Golden values: numbers made by the reference implementations, which our arithmetic must reproduce.

The folder comes from ``SUITE_GOLDEN`` (default ``../shared/golden`` beside the project). Tests read every shape,
constant and case name from the files, so the same tests serve any set with the same file names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(os.environ.get("SUITE_GOLDEN") or Path(__file__).resolve().parents[2].parent / "shared" / "golden")


def golden(name: str) -> Any:
    """Load one golden file: a dict of arrays for ``.npz``, the parsed document for ``.json``.

    Skips the calling test, saying so, where the file is not at hand.
    """
    path = FOLDER / name
    if not path.exists():
        pytest.skip(
            f"golden file {path} is not here: set SUITE_GOLDEN to the folder that holds it", allow_module_level=True
        )
    if path.suffix == ".json":
        return json.loads(path.read_text())
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def close(actual: Any, expected: Any, tolerance: float) -> None:
    """Assert ``|actual - expected| <= tolerance * max(1, |expected|)`` elementwise, NaN equal to NaN."""
    actual, expected = np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert actual.shape == expected.shape, f"shape {actual.shape} instead of {expected.shape}"
    wrong = ~((np.abs(actual - expected) <= tolerance * np.maximum(1.0, np.abs(expected))) | (actual == expected))
    wrong &= ~(np.isnan(actual) & np.isnan(expected))
    assert not wrong.any(), (
        f"{wrong.sum()} of {wrong.size} values differ, worst by {np.nanmax(np.abs(actual - expected)[wrong]):.3g}"
    )
