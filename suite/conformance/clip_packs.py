"""What may be odd about feature files of clips (Confusing-HMDB-102, EPIC-Kitchens-100-SPMV), file by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from suite.conformance.finding import Doubt, Finding, tried
from suite.conformance.packs import PLAIN
from suite.data import find_card
from suite.data.confusing import HMDB_SPLITS
from suite.data.readers import epic, hmdb
from suite.data.readers.clip_features import ClipFeatures
from suite.data.storage.files import dataset_folder, missing
from suite.data.storage.generated import find_mark
from suite.spec.card import DatasetCard, parse_dataset_name

Said = tuple[str, Mapping[str, Any]]
LOOKED_AT = 5_000  # clips of a file from which what a source keeps is estimated


@dataclass(frozen=True)
class Part:
    """One part of a pack: ``ids`` (N,) of its clips with the video ``source`` (N,) of each, RGB and flow files."""

    name: str
    ids: np.ndarray
    source: np.ndarray
    rgb: Path
    flow: Path


@dataclass(frozen=True)
class ClipPack:
    """The parts of a pack in ``folder``."""

    card: DatasetCard
    folder: Path

    @cached_property
    def parts(self) -> list[Part]:
        """Training and test parts, of every official split where there are several."""
        return list(_confusing(self.folder) if self.card.reader == "hmdb" else _kitchens(self.folder))

    @cached_property
    def files(self) -> dict[Path, ClipFeatures]:
        """Every feature file, opened; raises :class:`DataError` for what is none."""
        return {path: ClipFeatures(path) for part in self.parts for path in (part.rgb, part.flow)}


def _confusing(folder: Path) -> Iterator[Part]:
    for split in HMDB_SPLITS:
        for part, stored in (("train", "train"), ("test", "val")):
            listed = hmdb.read_split(folder / hmdb.LABELS / f"{part}{split}.txt")
            files = hmdb.feature_files(folder, split, stored)
            yield Part(f"{part} {split}", listed.ids, hmdb.source_videos(listed.names), *files)


def _kitchens(folder: Path) -> Iterator[Part]:
    notes = folder / epic.ANNOTATIONS
    train, test = (epic.read_single_verbs(notes / f"EPIC_100_{part}.csv", 10**6) for part in ("train", "validation"))
    numbers = epic.number_segments(train, test)
    for name, verbs, stored in (("train", train, "traindata_testmode"), ("validation", test, "val")):
        source = np.array([segment.rpartition("_")[0] for segment in verbs])
        files = (folder / epic.RGB.format(stored), folder / epic.FLOW.format(stored))
        yield Part(name, np.array([numbers[segment] for segment in verbs]), source, *files)


def examine_clips(name: str, root: Path | None = None) -> Iterator[Finding]:
    """Look into the feature files of the dataset called ``name``; nothing for cards of other readers."""
    card = find_card(parse_dataset_name(name)[0])
    if card.reader not in ("hmdb", "epic"):
        return
    pack = ClipPack(card, dataset_folder(card, root))
    opening = tried(_present, pack)
    yield opening
    if opening.holds:
        for check in (_clips, _numbers, _channels, _modalities):
            yield tried(check, pack)


def _present(pack: ClipPack) -> Said:
    """the pack's files are there and can be opened"""
    absent = missing(pack.card, pack.folder)
    assert not absent, f"{pack.folder} lacks {', '.join(file.path for file in absent)}; {pack.card.obtain}"
    found = f"{len(pack.files)} files of {sum(len(file.ids) for file in pack.files.values())} features"
    mark = find_mark(pack.card, pack.folder)
    return f"a rehearsal pack (generated features): {found}" if mark else found, {"files": len(pack.files)}


def _clips(pack: ClipPack) -> Said:
    """features and labels are of the same clips"""
    more = {}
    for part in pack.parts:
        for path in (part.rgb, part.flow):
            held = pack.files[path].ids
            absent = np.setdiff1d(part.ids, held)
            assert not len(absent), (
                f"{path} lacks {len(absent)} of {len(part.ids)} clips of {part.name}, first {absent[0]}"
            )
            more[path.name] = len(np.setdiff1d(held, part.ids))
    if any(more.values()):
        name = max(more, key=lambda one: more[one])
        raise Doubt(f"{name} holds {more[name]} clips that have no label and will not be used", {"not labelled": more})
    return f"{sum(len(part.ids) for part in pack.parts)} clips in {len(pack.parts)} parts", {}


def _numbers(pack: ClipPack) -> Said:
    """every feature is a finite number"""
    kinds = {}
    for path, file in pack.files.items():
        finite = np.isfinite(file.rows.reshape(len(file.rows), -1)).all(axis=1)
        assert finite.all(), (
            f"{path}: {int((~finite).sum())} clips hold values that are not finite, first {file.ids[~finite][0]}"
        )
        kinds[path.name] = str(file.rows.dtype)
    others = {name: kind for name, kind in kinds.items() if kind != "float32"}
    if others:
        name, kind = next(iter(others.items()))
        raise Doubt(f"{len(others)} files are stored as {kind} instead of float32: {name}", {"types": kinds})
    return f"{len(kinds)} files of float32", {}


def _channels(pack: ClipPack) -> Said:
    """features are as wide as the card states"""
    widths = {path: int(file.rows.shape[-1]) for path, file in pack.files.items()}
    assert len(set(widths.values())) == 1, f"files differ in width: {sorted(set(widths.values()))} channels"
    (width,) = set(widths.values())
    stated = pack.card.layout.channels
    wrong = stated is not None and stated != 2 * width and find_mark(pack.card, pack.folder) is None
    assert not wrong, f"each modality is {width} channels wide, the card states {stated} for both"
    return f"{width} channels a modality", {"width": width}


def _modalities(pack: ClipPack) -> Said:
    """RGB and flow are what their files say"""
    for part in pack.parts:
        rgb, flow = (pack.files[path] for path in (part.rgb, part.flow))
        same = rgb.rows.shape == flow.rows.shape and np.array_equal(rgb.rows, flow.rows)
        assert not same, f"{part.rgb} and {part.flow} hold the same features: one was copied over the other"
    doubts, judged = [], 0
    for part in pack.parts:
        kept = [_kept(pack.files[path], part) for path in (part.rgb, part.flow)]
        if min(kept) > 0 and max(kept) > PLAIN * min(kept):
            judged += 1
            if kept[1] > kept[0]:
                doubts.append(f"{part.name} ({kept[0]:.0%} in RGB, {kept[1]:.0%} in flow)")
    if doubts:
        raise Doubt(
            f"clips of one video share more of their variance in flow than in RGB, in {', '.join(doubts)}: scenes stay "
            "and motion changes; look whether the files are exchanged",
            {"parts": doubts},
        )
    return f"as far as statistics tell, in {judged} of {len(pack.parts)} parts", {"judged": judged}


def _kept(file: ClipFeatures, part: Part) -> float:
    """The share of variance that clips of one source video have in common."""
    rows = file.take(file.find(part.ids[:LOOKED_AT])).astype(np.float64)
    _, owner, counts = np.unique(part.source[:LOOKED_AT], return_inverse=True, return_counts=True)
    means = np.zeros((len(counts), rows.shape[1]))
    np.add.at(means, owner, rows)
    within = ((rows - (means / counts[:, None])[owner]) ** 2).sum() / max(1, len(rows) - len(counts))
    return float(1 - within / (rows.var(axis=0).sum() or 1.0))
