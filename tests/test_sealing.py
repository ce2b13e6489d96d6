"""Checksums inside of files: whatever bit is flipped, the content is the same or it is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from suite.errors import DataError
from suite.sealing import checked, sealed, with_check
from suite.train.storage import checkpoint


def test_every_bit_of_a_json_object() -> None:
    value = {"a": 1 / 3, "ü": [1, None, "x"], "deep": {"2": True}}
    whole, same = json.dumps(with_check(value), ensure_ascii=False).encode(), 0
    assert checked(json.loads(whole)) == value and checked(value) == value
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            assert checked(json.loads(changed.decode())) == value, bit
            same += 1
        except ValueError:
            pass
    assert same < 40  # blanks that became other blanks


def test_every_bit_of_a_small_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, {"a": torch.tensor([1.5, -2.0])}, {"epoch": 3})
    whole = path.read_bytes()
    assert sealed(path) and checkpoint.load(path)[1] == {"epoch": 3}
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            tensors, facts = checkpoint.load(path)
        except DataError:
            continue
        assert tensors["a"].tolist() == [1.5, -2.0] and facts == {"epoch": 3}, bit


def test_a_file_of_an_earlier_suite_has_no_checksum(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "old.safetensors"
    save_file({"a": torch.ones(3)}, path, metadata={"facts": "{}"})
    assert sealed(path) is None and checkpoint.load(path)[0]["a"].tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="no JSON object"):
        checked([1])
