"""Whether the clips of people can be had: a folder of frames or a video file of each, and pictures of one size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from suite.conformance.finding import Doubt, Finding, tried
from suite.conformance.packs import some
from suite.data import find_card, load
from suite.spec.card import parse_dataset_name
from suite.tasks.data import SPLITS, TaskData

TRIED = 3  # clips of a split that are decoded
READERS = ("ava", "ucf101")


def examine_frames(name: str, root: Path | None = None, cache: Path | None = None) -> Iterator[Finding]:
    """Look for the pixels of the dataset called ``name``; nothing for cards of other readers."""
    if find_card(parse_dataset_name(name)[0]).reader not in READERS:
        return
    held: list[TaskData[Any]] = []
    opening = tried(lambda _: _opened(name, root, cache, held), None, "boxes can be read")
    yield opening
    for data in held:
        yield tried(_there, data)
        yield tried(_decoded, data)


def _opened(name: str, root: Path | None, cache: Path | None, held: list[TaskData[Any]]) -> str:
    held.append(load(name, "", root, cache))
    return ", ".join(f"{len(held[0].split(split).clip_ids)} clips in {split}" for split in SPLITS)


def _there(data: TaskData[Any]) -> tuple[str, Mapping[str, Any]]:
    """every video has its frames"""
    wanted = {
        str(path) for split in SPLITS if (source := data.split(split).frames) is not None for path in source.files
    }
    if not wanted:
        raise Doubt("there are neither frames nor videos: only boxes can be worked with", {})
    absent = sorted(Path(path).name for path in wanted if not Path(path).exists())
    assert not absent, f"{len(absent)} of {len(wanted)} videos have no frames: {some(absent)}; extract or get them"
    return f"{len(wanted)} videos", {"videos": len(wanted)}


def _decoded(data: TaskData[Any]) -> tuple[str, Mapping[str, Any]]:
    """clips can be decoded"""
    sizes = set()
    for split in SPLITS:
        source = data.split(split).frames
        if source is None:
            return "there is nothing to decode", {}
        for clip in np.linspace(0, len(source) - 1, min(TRIED, len(source))).astype(int).tolist():
            sizes.add(source.clip(clip).shape[1:3])
    listed = ", ".join(f"{width}×{height}" for height, width in sorted(sizes))
    return f"the first, the middle and the last of each split, as networks see them: {listed}", {"sizes": sorted(sizes)}
