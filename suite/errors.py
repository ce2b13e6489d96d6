"""What can go wrong for a user: each error is one sentence that names the thing, the place and the remedy."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable

SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)  # in the names of variables
SHORTEST = 6  # characters of a value that is taken for a secret: "1" and "true" are none


class SuiteError(Exception):
    """A mistake or failure, described in one sentence; the command line prints it without a traceback and exits 1."""

    exit_code = 1

    def __str__(self) -> str:
        """The sentence; what no file can hold of a name in it (bytes that are no text, half a character) as a code."""
        return super().__str__().encode(errors="backslashreplace").decode()


class UsageError(SuiteError):
    """The request itself is wrong (unknown name, bad value); the command line exits 2."""

    exit_code = 2


class DataError(SuiteError):
    """Data on disk is missing, damaged or contradicts its card."""


class TrainingError(SuiteError):
    """Training cannot go on (a loss that is not finite, a batch that cannot be built)."""


def interrupted(error: BaseException) -> bool:
    """Whether ``error`` comes of Ctrl-C or SIGTERM: while compiled code runs (of numba, say) they leave it as a
    SystemError, whose cause they are."""
    at: BaseException | None = error
    while at is not None and not isinstance(at, KeyboardInterrupt):
        at = at.__cause__
    return at is not None


def pass_on_interruption(error: BaseException) -> None:
    """Raise :class:`KeyboardInterrupt` where ``error`` comes of one; to be called by those who catch any error."""
    if interrupted(error):
        raise KeyboardInterrupt from None


def redacted(text: str) -> str:
    """``text`` without the values of the environment's secrets: what is written down is read by others."""
    found = (value for name, value in os.environ.items() if SECRET.search(name) and len(value) >= SHORTEST)
    for value in sorted(found, key=len, reverse=True):  # the longest first: one may contain another
        text = text.replace(value, "[redacted]")
    return text


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: ``"; did you mean 'x'?"`` or the list of what there is."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(choices)}." if choices else "; none are known."
