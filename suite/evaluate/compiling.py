"""How inner loops become machine code: numba, once for each machine, loaded when the first of them is called."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
_ONE_AT_A_TIME = threading.RLock()


def compiled(function: F) -> F:
    """Compile ``function``; the machine code is kept on disk, so that only the first process ever pays for it.

    Where nothing can be written (a read-only installation without a home) each process compiles anew. A function that
    calls a compiled one belongs into the same file, and constants of other files come as arguments: numba notices
    changes of the file alone.
    """
    return cast(F, _Late(function))


def inlined(function: F) -> F:
    """Compile ``function`` into those that call it, for what is called millions of times.

    A call costs as many counted references as it has arrays. Division by zero gives what NumPy gives, not an error, so
    that loops with divisions become vector instructions.
    """
    return cast(F, _Late(function, error_model="numpy", forceinline=True, _nrt=False))


class _Late:
    """A function that is compiled when it is first called, with all others of its module: they may call each other."""

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        self.function, self.options = function, options
        self.code: Callable[..., Any] | None = None
        update_wrapper(self, function)

    def __call__(self, *args: Any) -> Any:
        return (self.code or self.load())(*args)

    def load(self) -> Callable[..., Any]:
        """The compiled function. Names of the module then mean compiled functions: numba reads them there."""
        with _ONE_AT_A_TIME:
            if self.code is None:
                self.code = _machine_code(self.function, self.options)
                module = self.function.__globals__
                others = {name: value for name, value in module.items() if isinstance(value, _Late)}
                for name, value in others.items():
                    if value.function.__globals__ is module:
                        module[name] = value.load()
            return self.code


def _machine_code(function: Callable[..., Any], options: Mapping[str, Any]) -> Callable[..., Any]:
    from numba import njit

    try:
        return cast(Callable[..., Any], njit(function, cache=True, nogil=True, **options))
    except RuntimeError:  # numba has found no folder to write to
        return cast(Callable[..., Any], njit(function, nogil=True, **options))
