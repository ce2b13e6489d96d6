"""A device that does not exist: tensors that say they lie on ``sim:0`` and are computed by the CPU.

With it a machine without an accelerator finds what goes wrong on one: an operation on tensors of two devices raises the
error that CUDA raises, and every operation for which the host must wait for the device is noted with the line that
asked for it. Random numbers come from the CPU's generator, so that a training gives the same numbers here and there.
"""

from __future__ import annotations

import collections
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

NAME = "sim"
ROOT = Path(__file__).resolve().parents[2]
ATEN = torch.ops.aten
# Their result's size depends on values (or is a value): CUDA brings something to the host and the host waits.
WAITING = {
    ATEN._local_scalar_dense.default: "a number",
    ATEN.nonzero.default: "the count of non-zeros",
    ATEN.masked_select.default: "the count of chosen entries",
    ATEN._unique2.default: "the count of different values",
    ATEN.unique_dim.default: "the count of different values",
    ATEN.unique_consecutive.default: "the count of different values",
    ATEN.repeat_interleave.Tensor: "the sum of the repeats",
    ATEN.equal.default: "whether all are equal",
}
# They take indices or values of the host beside tensors of the device, as CUDA's do.
MIXING = (ATEN.copy_.default, ATEN.index.Tensor, ATEN.index_put_.default, ATEN._index_put_impl_.default)
MASKED = (ATEN.index.Tensor, ATEN.index_put_.default, ATEN._index_put_impl_.default, ATEN.index_put.default)


class OnDevice(Tensor):
    """A tensor of the simulated device; ``raw`` is where its values lie."""

    raw: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, raw: Tensor) -> OnDevice:
        # Of a sparse tensor only shape and values' type are told: it passes for a dense one, which nobody looks into.
        layout = (raw.stride(), raw.storage_offset()) if raw.layout == torch.strided else (None, None)
        made: OnDevice = Tensor._make_wrapper_subclass(
            cls, raw.shape, strides=layout[0], storage_offset=layout[1], dtype=raw.dtype, device=f"{NAME}:0"
        )
        made.raw = raw
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        made: Tensor = self.detach().clone()
        if isinstance(self, nn.Parameter):
            made = nn.Parameter(made, self.requires_grad)
        memo[id(self)] = made
        return made

    def tolist(self) -> Any:
        """As a list of the host's, for which the host waits (torch has it for its own tensors only)."""
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(
        cls, operation: Any, kinds: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _compute(operation, args, kwargs or {})


def _compute(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    target = kwargs.get("device")
    _refuse_mixtures(operation, (args, kwargs))
    _note_waiting(operation, args, target)
    found = operation(*tree_map(_raw, args), **{key: _on_cpu(value) for key, value in kwargs.items()})
    if operation is ATEN._local_scalar_dense.default or (target is not None and target.type == "cpu"):
        return found
    wrapped = tree_map(lambda part: OnDevice(part) if isinstance(part, Tensor) else part, found)
    return return_and_correct_aliasing(operation, args, kwargs, wrapped)


def _raw(value: Any) -> Any:
    return value.raw if isinstance(value, OnDevice) else value


def _on_cpu(value: Any) -> Any:
    return torch.device("cpu") if isinstance(value, torch.device) else tree_map(_raw, value)


def _refuse_mixtures(operation: Any, values: Any) -> None:
    tensors = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
    strays = [leaf for leaf in tensors if not isinstance(leaf, OnDevice) and leaf.ndim]
    if strays and operation not in MIXING:
        raise RuntimeError(f"{operation} got tensors of two devices, {NAME}:0 and cpu, {_asked_by()}")


def _note_waiting(operation: Any, args: tuple[Any, ...], target: torch.device | None) -> None:
    if operation in WAITING:
        _NOTES[f"{WAITING[operation]} {_asked_by()}"] += 1
    elif operation is ATEN._to_copy.default and target is not None and target.type == "cpu":
        _NOTES[f"a copy to the host {_asked_by()}"] += 1
    elif operation in MASKED and any(isinstance(i, OnDevice) and i.dtype == torch.bool for i in args[1]):
        _NOTES[f"the count of a mask {_asked_by()}"] += 1


_NOTES: collections.Counter[str] = collections.Counter()


def _asked_by() -> str:
    """The innermost line of the suite or its methods on the stack."""
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        # Libraries may be installed below the checkout.
        ours = any(path.is_relative_to(ROOT / part) for part in ("suite", "methods", "tests"))
        if ours and path.name != Path(__file__).name:
            return f"at {path.relative_to(ROOT).as_posix()} in {frame.name}: {frame.line}"
    return "outside the suite"


class _Arrivals(TorchDispatchMode):
    """Brings to the device what is made there or sent there."""

    def __torch_dispatch__(
        self, operation: Any, kinds: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        target = kwargs.get("device")
        here = any(isinstance(leaf, OnDevice) for leaf in tree_leaves((args, kwargs)))
        if here or not isinstance(target, torch.device) or target.type != NAME:
            return operation(*args, **kwargs)
        found = operation(*args, **{**kwargs, "device": torch.device("cpu")})
        if operation is ATEN._to_copy.default and not kwargs.get("non_blocking"):
            _NOTES[f"a copy to the device {_asked_by()}"] += 1
        # What was on the CPU stays there: the device gets a copy, as it would.
        return OnDevice(found.clone() if any(found is leaf for leaf in args) else found)


class _Literals(TorchFunctionMode):
    """Brings numbers and lists of the host to the device, which torch does out of sight of dispatch."""

    def __torch_function__(
        self, function: Any, kinds: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        target = kwargs.get("device")
        if function not in (torch.tensor, torch.as_tensor) or target is None or torch.device(target).type != NAME:
            return function(*args, **kwargs)
        if isinstance(args[0], OnDevice):
            return args[0].to(kwargs.get("dtype", args[0].dtype))
        return function(*args, **{**kwargs, "device": "cpu"}).to(target)


class _Module(ModuleType):
    """What torch asks of a device's module."""

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def is_initialized() -> bool:
        return True

    @staticmethod
    def current_device() -> int:
        return 0

    @staticmethod
    def device_count() -> int:
        return 1

    @staticmethod
    def _is_in_bad_fork() -> bool:
        return False

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        """The CPU's generator serves the device too."""

    @staticmethod
    def get_amp_supported_dtype() -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


@cache
def register() -> None:
    """Tell torch of the device: in a process that has not yet computed a gradient, for torch counts devices then."""
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

    _setup_privateuseone_for_python_backend(NAME, backend_module=_Module(NAME))


@contextmanager
def simulated_device() -> Iterator[torch.device]:
    """The device, within whose context tensors can be made on it or sent there."""
    register()
    with _Arrivals(), _Literals():
        yield torch.device(NAME, 0)


@contextmanager
def waits() -> Iterator[collections.Counter[str]]:
    """What the host waited for within the context, and how often."""
    before = collections.Counter(_NOTES)
    found: collections.Counter[str] = collections.Counter()
    yield found
    found.update(_NOTES - before)
