"""Files of weights are read as tensors in every published form; whatever else they hold is refused in a sentence."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from suite.errors import DataError
from suite.weights.reading import read_tensors
from tests.weights.releases import caffe2, random

TENSORS = random({"s1.conv.weight": (4, 3, 1), "s1.bn.bias": (4,)})


def same(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == TENSORS.keys() and all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"epoch": 3, "model_state": state, "optimizer_state": {"state": {}}, "cfg": "NUM_GPUS: 8"},
        lambda state: {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}},
        lambda state: {"state_dict": {"a": torch.zeros(1)}, "state_dict_ema": state, "scheduler": {"base_lrs": [1e-4]}},
        lambda state: {"state_dict": state, "best": np.float64(0.7), "order": np.arange(3)},
    ],
    ids=["bare", "PySlowFast", "parallel", "averaged before raw", "with NumPy numbers"],
)
def test_what_torch_saves(tmp_path: Path, wrap: Any, legacy: bool):
    path = tmp_path / "model.pkl"  # some Caffe2-style names of the model zoo hold such files
    torch.save(wrap(TENSORS), path, _use_new_zipfile_serialization=not legacy)
    assert same(read_tensors(path))


def test_blobs_of_caffe2_without_the_state_of_training(tmp_path: Path):
    assert same(read_tensors(caffe2(TENSORS, tmp_path / "model.pkl")))


def test_text_of_python_2_in_a_pickle(tmp_path: Path):
    """What Python 2 and its NumPy wrote, opcode by opcode: text and bytes are one type there."""
    array = np.array([1.5, -200.0], dtype="<f8")
    kind = b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    state = b"(K\x01K\x02\x85" + kind + b"\x89U\x10" + array.tobytes() + b"tb"
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x02}U\x05blobs}U\x07conv1_w" + empty + state + b"ss.")
    assert read_tensors(path)["conv1_w"].tolist() == array.tolist()


def test_safetensors(tmp_path: Path):
    save_file(TENSORS, tmp_path / "model.safetensors")
    assert same(read_tensors(tmp_path / "model.safetensors"))


class Malicious:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("form", ["torch", "legacy", "pickle"])
def test_code_in_a_file_is_not_run(tmp_path: Path, form: str):
    content = {"state_dict": {"a": torch.zeros(2)}, "epoch": Malicious(tmp_path / "trace")}
    path = tmp_path / "model.pth"
    if form == "pickle":
        path.write_bytes(pickle.dumps({"blobs": {"conv1_w": np.ones(2)}, "cfg": Malicious(tmp_path / "trace")}))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "torch")
    with pytest.raises(DataError, match=r"asks for \w+\.system, which is no (tensor|array)"):
        read_tensors(path)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("form", ["torch", "legacy", "pickle", "safetensors"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_file_is_told_in_a_sentence(tmp_path: Path, form: str, share: float):
    path, large = tmp_path / "model", {"a": torch.rand(400), "b": torch.rand(400)}
    if form == "safetensors":
        save_file(large, path)
    elif form == "pickle":
        caffe2(large, path)
    else:
        torch.save({"state_dict": large}, path, _use_new_zipfile_serialization=form == "torch")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=r"model is not a whole file of (weights|arrays) \(.*get it again") as told:
        read_tensors(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"\x93NUMPY\x01\x00"])
def test_another_kind_of_file(tmp_path: Path, content: bytes):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a whole file of"):
        read_tensors(path)


def test_a_file_without_tensors(tmp_path: Path):
    torch.save({"epoch": 3, "note": "none"}, tmp_path / "model.pth")
    with pytest.raises(DataError, match="holds no tensors by name"):
        read_tensors(tmp_path / "model.pth")
