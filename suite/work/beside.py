"""Files beside the ledger that are not as they were written: found by their checksums, and set aside.

What reads such a file says so in a sentence, or makes it anew where nothing is lost by that. This looks at all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from safetensors import SafetensorError, safe_open

from suite.data.storage.store import INDEX, verify_store
from suite.errors import SuiteError
from suite.models.folder import kept_models
from suite.places import Places
from suite.sealing import checked, sealed
from suite.work.kept import kept_outcomes, read_kept
from suite.work.kept_models import waiting_models
from suite.work.kept_places import MODEL

ASIDE = "quarantine"  # below the outputs
JSON = (
    "reports/**/*.about.json",
    "reports/claims/verdicts.json",
    "sweeps/*/sweep.json",
    "cache/data/hashes/*.json",
    "cache/timed.json",
)
TENSORS = ("checkpoints/*.safetensors", "cache/derived/*.safetensors")


@dataclass
class Beside:
    """What was set aside: all of it, and the runs whose kept weights, or whose numbers that waited, are among it."""

    files: list[str] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)


def set_aside_damaged(places: Places) -> Beside:
    """Set aside what is damaged of checkpoints, kept weights, packed features, notes, and runs not yet recorded.

    Reads all of it. No other process may write meanwhile.
    """
    found, root = Beside(), places.local
    for model in [*kept_models(places).values(), *waiting_models(places)]:
        files = [*model.path.rglob("*.safetensors")]
        if not (_is_whole(partial(getattr, model, "config")) and all(map(_whole_tensors, files))):
            found.weights.append(model.path.name.removesuffix(MODEL))
            found.files.append(_aside(model.path, root))
    for folder in list(kept_outcomes(places)):
        if not _is_whole(partial(read_kept, folder)):
            found.unrecorded.append(folder.name.partition("-")[0])
            found.files.append(_aside(folder, root))
    for damaged in [*_tensors(root), *_notes(root), *_stores(places)]:
        found.files.append(_aside(damaged, root))
    return found


def _tensors(root: Path) -> Iterator[Path]:
    for pattern in TENSORS:
        yield from (path for path in sorted(root.glob(pattern)) if not _whole_tensors(path))


def _notes(root: Path) -> Iterator[Path]:
    for pattern in JSON:
        yield from (path for path in sorted(root.glob(pattern)) if not _is_whole(partial(_json, path)))


def _stores(places: Places) -> Iterator[Path]:
    for index in sorted(places.cache.glob(f"*/{INDEX}")):
        if not _is_whole(partial(_require_store, index.parent)):
            yield index.parent


def _json(path: Path) -> None:
    checked(json.loads(path.read_text(encoding="utf-8")))


def _require_store(folder: Path) -> None:
    if not verify_store(folder):
        raise ValueError(f"{folder} has changed")


def _whole_tensors(path: Path) -> bool:
    with suppress(OSError, SafetensorError), safe_open(path, framework="pt"):
        return sealed(path) is not False
    return False


def _is_whole(read: Callable[[], object]) -> bool:
    try:
        read()
    except (SuiteError, OSError, ValueError):
        return False
    return True


def _aside(path: Path, root: Path) -> str:
    """Move ``path`` below the quarantine; returns where it lay."""
    inside = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    target = root / ASIDE / inside
    target.parent.mkdir(parents=True, exist_ok=True)
    number = 0
    while target.exists():
        number += 1
        target = target.with_name(f"{inside.name}.{number}")
    path.rename(target)
    return str(path)
