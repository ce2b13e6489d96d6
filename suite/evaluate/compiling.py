"""How inner loops become machine code: numba, once for each machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile ``function``; the machine code is kept on disk, so that only the first process ever pays for it.

    Where nothing can be written (a read-only installation without a home) each process compiles anew. A function that
    calls a compiled one belongs into the same file, and constants of other files come as arguments: numba notices
    changes of the file alone.
    """
    try:
        return cast(F, njit(function, cache=True, nogil=True))
    except RuntimeError:  # numba has found no folder to write to
        return cast(F, njit(function, nogil=True))
