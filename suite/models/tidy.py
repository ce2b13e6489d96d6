"""Making room: kept models go with their runs, or the oldest of them where a budget is exceeded."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from suite.errors import UsageError
from suite.models.folder import CONFIG, kept_models, models_folder
from suite.places import Places

ORPHAN_SECONDS = 3600.0  # weights are written before the row of their run
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@dataclass(frozen=True)
class Pruned:
    """The models removed, by run, with their bytes; what is left in all."""

    removed: dict[str, int]
    left: int
    left_bytes: int


def parse_size(text: str) -> int:
    """Bytes of ``500 MB``, ``2GB``, ``0``; raises :class:`UsageError` for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*", text.lower())
    if found is None:
        raise UsageError(f"'{text}' is no size; write 500MB or 2GB.")
    return int(float(found[1]) * UNITS[found[2]])


def prune(
    places: Places, budget: int, runs: Collection[str], *, dry: bool = False, orphan_seconds: float = ORPHAN_SECONDS
) -> Pruned:
    """Remove kept models until ``budget`` bytes hold the rest: those without a run among ``runs``, then the oldest.

    Rows and predictions stay; only the weights go. With ``dry`` nothing is removed. What has no run for less than
    ``orphan_seconds`` may still get it, and counts as if it had.
    """
    models = kept_models(places)
    sizes = {name: model.size for name, model in models.items()}
    removed: dict[str, int] = {}
    young = time.time() - orphan_seconds
    owned = {n: n in runs or (one.path / CONFIG).stat().st_mtime > young for n, one in models.items()}
    for name in sorted(models, key=owned.__getitem__):  # a stable sort: the oldest stay first
        if not owned[name] or sum(sizes.values()) - sum(removed.values()) > budget:
            removed[name] = sizes[name]
    if not dry:
        remove(places, removed)
    return Pruned(removed, len(models) - len(removed), sum(sizes.values()) - sum(removed.values()))


def remove(places: Places, runs: Iterable[str]) -> None:
    """Remove the models of ``runs``, where there are any."""
    for run in runs:
        shutil.rmtree(models_folder(places) / run, ignore_errors=True)


def in_words(size: int) -> str:
    """Bytes as people read them."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
