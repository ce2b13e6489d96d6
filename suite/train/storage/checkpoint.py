"""Checkpoints: everything a training needs to go on as if nothing had happened, in one safetensors file.

Tensors are stored as tensors, the rest as JSON in the file's metadata, with a checksum of the whole file. Nothing is
ever unpickled. A checkpoint is written beside its place and renamed, so a killed writer leaves the one before.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from suite.errors import DataError
from suite.sealing import BLANK, TENSORS, seal, sealed


def save(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write ``tensors`` and JSON-able ``facts`` to ``path`` atomically; raises :class:`DataError` when it cannot."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(_apart(tensors), temporary, metadata={"facts": json.dumps(facts), TENSORS: BLANK})
        seal(temporary)
        temporary.replace(path)
    except (OSError, SafetensorError) as error:  # the library has an error of its own for a disk that is full
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        said = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise DataError(f"cannot write {path}: {said}; choose another --out.") from error


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a checkpoint; raises :class:`DataError` when the file is damaged."""
    try:
        if sealed(path) is False:
            raise ValueError("its checksum is another: the file was changed later")
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            return tensors, json.loads((file.metadata() or {})["facts"])
    except Exception as error:
        remedy = "`suite results repair` sets it aside, or delete it to train anew."
        raise DataError(f"the checkpoint {path} cannot be read ({error}); {remedy}") from error


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each tensor on the host, in memory of its own, which safetensors asks for.

    Copied are only rows of one stack, tied weights and the like: raw scores can be gigabytes.
    """
    host = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    owners = Counter(tensor.untyped_storage().data_ptr() for tensor in host.values())
    return {
        name: tensor.clone() if owners[tensor.untyped_storage().data_ptr()] > 1 else tensor
        for name, tensor in host.items()
    }


def distinct(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """``tensors`` without those that are an earlier one under another name, and the earlier one's name for each."""
    first: dict[tuple[object, ...], str] = {}
    found = {
        name: first.setdefault((t.device, t.dtype, t.data_ptr(), t.shape, t.stride()), name)
        for name, t in tensors.items()
    }
    same = {name: earlier for name, earlier in found.items() if earlier != name}
    return {name: tensor for name, tensor in tensors.items() if name not in same}, same


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``tensors`` under ``prefix/name``."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors stored under ``prefix/``, with their own names."""
    return {name[len(prefix) + 1 :]: t for name, t in tensors.items() if name.startswith(f"{prefix}/")}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as ``index.name`` tensors (learning rates follow from the schedule)."""
    state = optimizer.state_dict()["state"]
    slots = ((index, name, value) for index, named in state.items() for name, value in named.items())
    return {f"{index}.{name}": torch.as_tensor(value) for index, name, value in slots}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what :func:`optimizer_tensors` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor
    # Groups are those of the new optimizer: rates and decays follow from the run's parameters and the step.
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
