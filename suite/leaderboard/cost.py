"""What runs cost on this machine, from a few training steps measured on it: for plans whose data are not here yet.

Steps are timed on noise of the published shapes (:mod:`suite.leaderboard.generated`) in a process of their own, whose
peak of memory is theirs alone, counted from a method's phases at the published size, and kept in a file of the output
folder. Reading and decoding of files is not in it.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.data import find_card
from suite.errors import SuiteError
from suite.leaderboard.timed import Timed, key_for, name_of, scored, size_of
from suite.sealing import checked, with_check
from suite.spec.run import RunSpec
from suite.writing import write_whole


@dataclass(frozen=True)
class Memory:
    """What a run needs, in bytes: ``process``, its peak with scores and predictions of the whole test split, and the
    packed ``features`` at the published size, which are mapped from disk and stay in memory as far as there is room."""

    process: float
    features: float


@dataclass
class Costs:
    """What the file of an output folder holds for this machine: timings by setting, and seconds expected of runs."""

    path: Path
    known: dict[str, Timed] = field(default_factory=dict)
    runs: dict[str, float] = field(default_factory=dict)
    setting: str = ""

    @classmethod
    def of(cls, folder: Path, setting: str = "") -> Costs:
        """What is in ``folder``; nothing where the file is not there or not readable.

        ``setting`` says in words what all runs have otherwise than their methods' presets (a shortened board).
        """
        path = folder / "cache" / "timed.json"
        held = _held(path).get(platform.node(), {})
        try:
            timings = {key: Timed(**values) for key, values in held["timed"].items()}
            return cls(path, timings, dict(held["runs"]), setting)
        except (KeyError, TypeError, AttributeError):
            return cls(path, setting=setting)

    def measure(
        self,
        specs: Iterable[RunSpec],
        tell: Callable[[str], None],
        measured: Callable[[RunSpec], Timed] | None = None,
    ) -> None:
        """Time every setting of ``specs`` that is not known and count the steps of its runs; ``tell`` gets a line each.

        A setting that cannot be trained on noise stays unknown. ``measured`` does the timing (:func:`timed_alone`).
        """
        from suite.leaderboard.lengths import expected  # brings what trains
        from suite.leaderboard.steps import timed_alone

        for spec in {name_of(one): one for one in specs}.values():
            key = self._key(spec)
            try:
                if key not in self.known or not self.known[key].peak:
                    self.known[key] = found = (measured or timed_alone)(spec)
                    step = max(found.step.values(), default=0.0)
                    tell(f"timed {key}: {step:.3g} s a step, {found.peak / 2**30:.1f} GiB")
                if name_of(spec) not in self.runs:
                    self.runs[name_of(spec)] = expected(spec, self.known[key])
            except (SuiteError, RuntimeError, ValueError, KeyError, MemoryError) as error:
                tell(f"not timed: {key} ({type(error).__name__}: {error})")
            self._save()

    def seconds(self, spec: RunSpec) -> float | None:
        """Expected seconds of one run at the published size; None where its setting was never timed."""
        return self.runs.get(name_of(spec)) if self.runs else None

    def memory(self, spec: RunSpec) -> Memory | None:
        """What one run needs at the published size; None where its setting was never measured."""
        found = self.known.get(self._key(spec)) if self.known else None
        if found is None or not found.peak:
            return None
        card = find_card(spec.dataset)
        size = size_of(card)
        rows = (size.train + size.unlabelled + size.test) * max(1, size.length)
        # Scores are held of the point that validation chose and of the one under way.
        points = min(2, spec.epochs or 2)
        evaluated = scored(spec) * (points * found.kept + found.judged)
        return Memory(found.peak + evaluated, 4.0 * (card.layout.channels or 0) * rows)

    def _key(self, spec: RunSpec) -> str:
        return ", ".join(filter(None, (key_for(spec), self.setting)))

    def _save(self) -> None:
        everything = _held(self.path)
        timings = {key: vars(one) for key, one in self.known.items()}
        everything[platform.node()] = {"timed": timings, "runs": self.runs}
        write_whole(self.path, json.dumps(with_check(everything), indent=1))


def _held(path: Path) -> dict[str, Any]:
    try:
        return checked(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
