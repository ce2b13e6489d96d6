"""Files of weights as tensors by name. Nothing is unpickled beyond tensors, arrays and plain containers.

Releases come as ``torch.save`` files of either format, as pickles of Caffe2 blobs, or as safetensors. The form is known
by content: some Caffe2-style ``.pkl`` files of the SlowFast model zoo are ``torch.save`` files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.errors import DataError

# Where a checkpoint keeps the weights, the ones its authors evaluate first: averaged before raw.
STATES = ("state_dict_ema", "model_state", "state_dict", "model", "blobs")
ZIP = b"PK\x03\x04"
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # torch.save before 1.6: the pickled magic number
TRAINING_STATE = re.compile(r".*_momentum|lr|model_iter|epoch")  # of Caffe2, among its blobs


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a file of weights by the name it has there, without prefixes that wrappers add.

    Raises :class:`DataError` in one sentence for a file that is damaged, of another kind, or asks to run code.
    """
    content = _content(path)
    found = {str(name): _tensor(value) for name, value in _state(content).items() if _is_array(value)}
    if not found:
        raise DataError(f"{path} holds no tensors by name; give a file of weights (.pth, .pyth, .pkl or .safetensors).")
    while all(name.startswith("module.") for name in found):  # a network trained in parallel
        found = {name.removeprefix("module."): value for name, value in found.items()}
    return found


def _content(path: Path) -> Any:
    with path.open("rb") as file:
        start = file.read(len(LEGACY))
    if start[:4] == ZIP or start == LEGACY:
        return _saved_by_torch(path)
    if start[8:9] == b"{":  # eight bytes of length, then JSON
        return _safetensors(path)
    from suite.data.array_pickles import load_arrays

    return load_arrays(path, encoding="latin1")  # text of Python 2


def _saved_by_torch(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_array_builders()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever a damaged file leads to
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        if asked:
            raise DataError(
                f"{path} asks for {asked[1]}, which is no tensor, and nothing else is read; save its state_dict alone."
            ) from None
        raise DataError(f"{path} is not a whole file of weights ({type(error).__name__}); get it again.") from None


def _array_builders() -> list[Any]:
    """What NumPy numbers need (a checkpoint's best score, say): arrays are as harmless as tensors."""
    from suite.data.array_pickles import ALLOWED, PlainArray, PlainType

    return [(builder, f"{module}.{name}") for (module, name), builder in ALLOWED.items()] + [PlainArray, PlainType]


def _safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is not a whole file of weights ({error}); get it again.") from None


def _state(content: Any) -> Mapping[Any, Any]:
    """The part of a checkpoint that holds the network's tensors."""
    if not isinstance(content, Mapping):
        return {}
    name = next((name for name in STATES if isinstance(content.get(name), Mapping)), "")
    state: Mapping[Any, Any] = content[name] if name else content
    return {k: v for k, v in state.items() if name != "blobs" or not TRAINING_STATE.fullmatch(str(k))}


def _is_array(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "fiub")


def _tensor(value: Tensor | np.ndarray) -> Tensor:
    return value if isinstance(value, Tensor) else torch.from_numpy(np.array(value))
