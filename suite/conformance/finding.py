"""One expectation and what was seen of it; and how to try one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from suite.errors import SuiteError, pass_on_interruption

State = Literal["yes", "no", "look"]
Subject = TypeVar("Subject")


class Doubt(Exception):  # noqa: N818 (it is no error)
    """Raised by a check for what is not wrong in itself, but deserves a look."""


@dataclass(frozen=True)
class Finding:
    """One expectation: its name, its ``state``, what was seen in words and in numbers, and the seconds it took.

    ``look`` marks what is not wrong in itself, but should be known before numbers are believed.
    """

    check: str
    state: State
    said: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether the expectation is not broken."""
        return self.state != "no"


def tried(check: Callable[[Subject], str | tuple[str, Mapping[str, Any]]], subject: Subject, name: str = "") -> Finding:
    """Run one check, whose docstring is its name: it returns what it saw, and raises what is missing."""
    name, started = name or (check.__doc__ or "").rstrip("."), time.perf_counter()
    state: State = "yes"
    facts: Mapping[str, Any] = {}
    try:
        seen = check(subject)
        said, facts = seen if isinstance(seen, tuple) else (seen, {})
    except Doubt as doubt:
        said, facts = str(doubt.args[0]), dict(*doubt.args[1:])
        state = "look"
    except (SuiteError, AssertionError) as problem:
        state, said = "no", str(problem)
    except Exception as error:  # a user's own code may raise anything; the other checks go on
        pass_on_interruption(error)
        state, said = "no", f"{type(error).__name__}: {error}"
    return Finding(name, state, said, facts, round(time.perf_counter() - started, 2))
