"""Pickles of arrays, read without running anything they contain.

A pickle is a program; this reader lets it build NumPy arrays, containers, numbers and text, and refuses every other
name before it is looked up. Features and weights are published this way.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from suite.errors import DataError

_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),  # bytes in the oldest protocols
    **{(module, "_reconstruct"): np.empty(0).__reduce__()[0] for module in _ARRAY_MODULES},
    **{(module, "scalar"): np.float64(0).__reduce__()[0] for module in _ARRAY_MODULES},
}


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no array")
        return ALLOWED[module, name]


def load_arrays(path: Path, encoding: str = "ASCII") -> Any:
    """The content of a pickle of arrays; ``encoding`` reads text that Python 2 wrote.

    Raises :class:`DataError` for a damaged file and for one that asks for anything but arrays, which is not run.
    """
    try:
        with path.open("rb") as file:
            return _Arrays(file, encoding=encoding).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        raise DataError(f"{path} is not a whole file of arrays ({error}); get it again.") from None


def object_array(path: Path) -> np.ndarray:
    """An ``.npy`` file whose items are arrays of their own (N,), read under the same restriction."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read_header = {1: np.lib.format.read_array_header_1_0}.get(version[0], np.lib.format.read_array_header_2_0)
            _, _, dtype = read_header(file)
            items = _Arrays(file, encoding="latin1").load() if dtype.hasobject else None
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        raise DataError(f"{path} is not a whole file of arrays ({error}); get the features again.") from None
    if items is None:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    return np.asarray(items)
