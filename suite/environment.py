"""The environment variables of the suite: set once by a user, inherited by every process that is started from here."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Variable:
    """One variable; several paths in it are separated as in PATH."""

    name: str

    @property
    def value(self) -> str:
        """Its text, empty where it is not set."""
        return os.environ.get(self.name, "")

    def paths(self) -> list[str]:
        """The paths it lists."""
        return [path for path in self.value.split(os.pathsep) if path]

    def add(self, paths: Iterable[str | Path]) -> None:
        """List ``paths`` before those that are there, for this process and for all that are started from here."""
        whole = dict.fromkeys([*(str(Path(path).resolve()) for path in paths), *self.paths()])
        os.environ[self.name] = os.pathsep.join(whole)


STARTED = time.time()  # of this process, about: files that changed later are not what it has imported
PLUGINS = Variable("SUITE_METHODS")  # files with methods and tasks of a user's own
CARDS = Variable("SUITE_DATASETS")  # folders with dataset cards of a user's own
DATA = Variable("SUITE_DATA")  # the folder of the real data
OUTPUTS = Variable("SUITE_OUTPUTS")  # ledger, checkpoints, caches, reports


def cache_home() -> Path:
    """The folder of the user's caches for the suite, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weak-action-suite"


def inherited() -> dict[str, str]:
    """The variables that are set, by name: what workers on other machines must be given."""
    known = (PLUGINS, CARDS, DATA, OUTPUTS)
    return {variable.name: variable.value for variable in known if variable.name in os.environ}
