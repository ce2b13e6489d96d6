"""Opening feature files: what is wrong is told with the file's name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from suite.data.arrays import open_rows
from suite.errors import DataError


def test_rows_are_mapped(tmp_path: Path) -> None:
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.save(tmp_path / "v.npy", rows)
    found = open_rows(tmp_path / "v.npy", "thumos14", channels=3)
    np.testing.assert_array_equal(found, rows)
    assert isinstance(found, np.memmap)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (np.zeros((4, 2)), "2 channels wide instead of 3"),
        (np.zeros(4), r"float64 \(4,\) instead of rows"),
        (np.array([["a", "b", "c"]]), "instead of rows of numbers"),
        (np.array([{"pickled": 1}], dtype=object), "no plain array"),
        (b"", "cut short or is no plain array"),
        (b"PK\x03\x04 broken", "cut short or is no plain array"),
        (None, "is missing"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: object, said: str) -> None:
    path = tmp_path / "v.npy"
    if isinstance(content, np.ndarray):
        np.save(path, content, allow_pickle=True)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        open_rows(path, "thumos14", channels=3)
    assert str(path) in str(caught.value)
    assert str(caught.value).startswith("thumos14: ")


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    np.save(path, np.zeros((100, 3)))
    os.truncate(path, path.stat().st_size - 8)
    with pytest.raises(DataError, match="cut short"):
        open_rows(path, "thumos14")
    np.savez(tmp_path / "two.npz", a=np.zeros((2, 3)))
    with pytest.raises(DataError, match="an archive of arrays"):
        open_rows(tmp_path / "two.npz", "thumos14")
