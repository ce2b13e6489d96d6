"""Pickles of arrays, read without running anything they contain.

A pickle is a program; this reader lets it build NumPy arrays, containers, numbers and text, and refuses every other
name before it is looked up. Features and weights are published this way.

NumPy's own builders trust what they are given: a forged type (with other flags, fields or item sizes) or a shape larger
than its bytes makes them read foreign memory or crash the interpreter. Those of this module check first.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from suite.errors import DataError

ORDERS = "<>=|"
PLAIN = re.compile(r"[<>=|]?(?:b1|[iu][1248]|f[248]|c8|c16|O8?|[SU]\d{1,6}|\?)")  # no fields, no raw bytes, no dates
DAMAGED = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, MemoryError, OverflowError,
    RecursionError,
)  # fmt: skip


class PlainType:
    """A dtype in the making: plain kinds only, and of a pickled state nothing but the byte order."""

    __slots__ = ("dtype",)

    def __init__(self, text: Any, align: Any = False, copy: Any = False) -> None:
        name = text.decode("ascii") if isinstance(text, bytes) else text
        if not isinstance(name, str) or not PLAIN.fullmatch(name):
            raise pickle.UnpicklingError(f"it asks for numbers of the type {text!r:.40}")
        self.dtype: np.dtype[Any] = np.dtype(name)

    def __setstate__(self, state: Any) -> None:
        version, order, *rest = state
        own = list(self.dtype.__reduce__()[2])[2:]
        order = order.decode("ascii") if isinstance(order, bytes) else order
        if version not in (3, 4) or order not in ORDERS or rest[: len(own)] != own or any(rest[len(own) :]):
            raise pickle.UnpicklingError(f"it forges the type {self.dtype}")
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder("<" if order == "<" else ">")


class PlainArray(np.ndarray[Any, Any]):
    """An array in the making: as many items as its shape says, of a plain type."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, items = state
        count = math.prod(shape)
        if not all(isinstance(side, int) and side >= 0 for side in shape) or len(shape) > 32:
            raise pickle.UnpicklingError(f"it forges the shape {shape!r:.40}")
        whole = isinstance(items, list) and len(items) == count
        if not kind.dtype.hasobject:
            items = items.encode("latin1") if isinstance(items, str) else items  # bytes of Python 2
            whole = isinstance(items, bytes) and len(items) == count * kind.dtype.itemsize
        if not whole:
            raise pickle.UnpicklingError(f"its bytes do not fill the shape {shape!r:.40}")
        super().__setstate__((1, tuple(shape), kind.dtype, bool(fortran), items))  # type: ignore[arg-type]


class Builder:
    """A function that a pickle may call and, unlike a plain function, not change."""

    __slots__ = ("_build",)
    _build: Callable[..., Any]

    def __init__(self, build: Callable[..., Any]) -> None:
        object.__setattr__(self, "_build", build)

    def __call__(self, *values: Any) -> Any:
        return self._build(*values)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError(f"it sets {name} of a function")


def _empty(kind: Any, shape: Any, _code: Any) -> np.ndarray:
    """What NumPy's ``_reconstruct`` gives: an array without items, filled by its state."""
    if kind is not NDARRAY or tuple(shape) != (0,):
        raise pickle.UnpicklingError("it asks for an array without content")
    return np.ndarray.__new__(PlainArray, (0,), np.int8)


def _scalar(kind: Any, content: Any = b"") -> Any:
    """What NumPy's ``scalar`` gives: one number from its bytes."""
    content = content.encode("latin1") if isinstance(content, str) else content
    if kind.dtype.hasobject or not isinstance(content, bytes) or len(content) != kind.dtype.itemsize:
        raise pickle.UnpicklingError(f"it forges a number of the type {kind.dtype}")
    return np.frombuffer(content, kind.dtype)[0]


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    """What NumPy's ``_frombuffer`` gives in pickles of protocol 5: an array of the bytes it is given."""
    if kind.dtype.hasobject or not isinstance(content, bytes | bytearray) or order not in ("C", "F"):
        raise pickle.UnpicklingError(f"it forges an array of the type {kind.dtype}")
    return np.frombuffer(bytes(content), kind.dtype).reshape(shape, order=order)


def _encoded(text: str, encoding: str) -> bytes:
    """Bytes in the oldest protocols."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r:.40}")
    return text.encode("latin1")


def _ndarray(*_: Any) -> Any:
    """The class itself is named but never called: it would show memory as it is."""
    raise pickle.UnpicklingError("it asks for an array without content")


NDARRAY = Builder(_ndarray)
_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): NDARRAY,
    ("numpy", "dtype"): PlainType,
    ("_codecs", "encode"): Builder(_encoded),
    **{(module, "_reconstruct"): Builder(_empty) for module in _ARRAY_MODULES},
    **{(module, "scalar"): Builder(_scalar) for module in _ARRAY_MODULES},
    **{(module, "_frombuffer"): Builder(_from_buffer) for module in ("numpy.core.numeric", "numpy._core.numeric")},
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
    except DAMAGED as error:
        raise DataError(
            f"{path} is not a whole file of arrays ({' '.join(str(error).split())}); get it again."
        ) from None


def object_array(path: Path) -> np.ndarray:
    """An ``.npy`` file whose items are arrays of their own (N,), read under the same restriction."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read_header = {1: np.lib.format.read_array_header_1_0}.get(version[0], np.lib.format.read_array_header_2_0)
            _, _, dtype = read_header(file)
            items = _Arrays(file, encoding="latin1").load() if dtype.hasobject else None
    except DAMAGED as error:
        raise DataError(
            f"{path} is not a whole file of arrays ({' '.join(str(error).split())}); get the features again."
        ) from None
    if items is None:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    return np.asarray(items)
