"""What ``suite doctor`` says of GPUs; torch's answers are stood in for."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from suite import doctor
from suite.cli.doctor import _gpu, _used


def test_a_gpu_is_described_with_what_it_is_used_for(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = SimpleNamespace(name="Some GPU", major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (70 * 2**30, 80 * 2**30))
    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch._C, "_cuda_getDriverVersion", lambda: 12040, raising=False)
    monkeypatch.setattr(torch.version, "cuda", "12.4")
    facts = doctor._gpu(0)
    expected = "Some GPU (70.0 of 80.0 GiB free; capability 9.0, driver for CUDA 12.4, torch for CUDA 12.4)"
    assert _gpu(facts) == expected
    assert "--gpu" in _used([facts]) and "bfloat16 or float16" in _used([facts])
    assert "emulated" in _used([facts | {"bfloat16": False}])
    assert _used([]) == "the processor"
