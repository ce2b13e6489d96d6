"""The generator's own posterior of a rehearsal pack, as oracle arrays of the samples it belongs to.

Packs in published layouts have no place for it, so it stands in a file of its own beside them,
``generated-posterior.npz`` (``generated-posterior-2.npz`` for the dial ``split=2``). For clips it holds ``ids`` (N,)
and ``posterior`` (N, C); for untrimmed videos, two arrays each: ``<id>/classes`` (K,) the classes that are possible
there, and ``<id>/posterior`` (L, K).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from suite.data.storage.rows import LazyRows
from suite.hyper import Value
from suite.tasks.data import SPLITS, TaskData

IDS, POSTERIOR, CLASSES = "ids", "posterior", "classes"


def posterior_path(folder: Path, split: Value = "") -> Path:
    """Where the posterior of a pack stands; ``split`` is the value of the dial of that name, where there is one."""
    return folder / (f"generated-posterior-{split}.npz" if split else "generated-posterior.npz")


def with_known_posterior(data: TaskData[Any], folder: Path, dials: Mapping[str, Value]) -> TaskData[Any]:
    """``data`` whose samples have the oracle array ``posterior``: (N, C), or (ΣL, C) for untrimmed videos.

    Splits are left as they are where ``folder`` has no such file, or where the file does not know all their samples.
    """
    path = posterior_path(folder, dials.get("split", ""))
    if not path.is_file():
        return data
    with np.load(path, allow_pickle=False) as held:
        videos = IDS not in held.files
        names = [name.removesuffix(f"/{CLASSES}") for name in held.files] if videos else held[IDS].tolist()
    place = {name: number for number, name in enumerate(names)}
    parts = {split: data.split(split) for split in SPLITS}
    covered = {split: part for split, part in parts.items() if set(part.ids.tolist()) <= place.keys()}
    if videos:
        known = {split: _of_videos(part, path, len(data.classes)) for split, part in covered.items()}
    else:
        known = {split: _of_clips(part, path, place) for split, part in covered.items()}
    more = {
        split: replace(parts[split], oracle={**parts[split].oracle, POSTERIOR: rows}) for split, rows in known.items()
    }
    return replace(data, **more)


def _of_clips(samples: Any, path: Path, place: Mapping[str, int]) -> Any:
    with np.load(path, allow_pickle=False) as held:
        return held[POSTERIOR][[place[name] for name in samples.ids.tolist()]]


def _of_videos(samples: Any, path: Path, classes: int) -> Any:
    """Streamed when they are packed: of many classes, few are possible in a video."""

    def blocks() -> Iterator[np.ndarray]:
        with np.load(path, allow_pickle=False) as held:
            for name in samples.ids.tolist():
                value = held[f"{name}/{POSTERIOR}"]
                rows = np.zeros((len(value), classes), dtype=np.float32)
                rows[:, held[f"{name}/{CLASSES}"]] = value
                yield rows

    return LazyRows((int(samples.offsets[-1]), classes), blocks)
