"""Packs of Confusing-HMDB-102: official splits and the authors' coin where they are at hand, generated features.

A sense is a class of HMDB-51. Its twins look alike: no method can tell them apart but by what the backbone learned of
the labels (the dial ``backbone_fit``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np

from suite.data.confusing import AUTHORS_SEED, HMDB_SPLITS, HmdbClip, all_twins, confusing_hmdb, hmdb_split, toss
from suite.data.known import posterior_path
from suite.data.planted.verbs import VerbWorld, draw_world
from suite.data.readers.hmdb import LABELS, OFFICIAL, feature_files, source_videos
from suite.rehearsal.clip_world import ClipList, draw_features, world_dials
from suite.rehearsal.kitchens import kitchens
from suite.rehearsal.pickles import write_clip_features
from suite.rehearsal.posterior import PosteriorFile
from suite.rehearsal.request import Draft, Request, Step, at_hand
from suite.rehearsal.timelines import TEST, TRAIN, chosen

PUBLISHED, SMALL = 4096, 64
CLASSES, CLIPS, FILMS = 51, {TRAIN: 70, TEST: 30}, 10  # clips a class and split; generated ones of so many films
FEW = 408  # clips of each split when nothing is said: eight a class


@dataclass(frozen=True)
class ConfusingHmdb:
    """The three splits of a pack: clips with their class by part, and the twin that each training clip shows."""

    asked: Request
    origin: str
    splits: Mapping[int, list[HmdbClip]]
    twins: Mapping[int, Mapping[str, int]]
    width: int

    @property
    def size(self) -> int:
        """About how many bytes the files take."""
        return sum(map(len, self.splits.values())) * (self.width + 2 * CLASSES) * 4

    @property
    def packed(self) -> int:
        """Bytes of what training maps from disk."""
        return self.size

    @property
    def holds(self) -> str:
        """Clips, channels, and whose labels."""
        count = len(self.splits[1])
        return f"3 splits of {count} clips, {self.width} channels, {self.origin} labels"

    @cached_property
    def world(self) -> VerbWorld:
        """Senses that are classes, each described by both of its twins."""
        world = draw_world({"world": self.asked.seed, **world_dials(self.asked, CLASSES, 2 * CLASSES, self.width)},
                           self.asked.generator(7))  # fmt: skip
        members = all_twins(np.arange(CLASSES), CLASSES)
        return replace(world, members=members, preference=members / 2)

    def write(self, folder: Path, step: Step) -> None:
        """Label files, the two modalities of both parts, and the posterior, split by split."""
        (folder / LABELS).mkdir()
        for split in HMDB_SPLITS:
            known = []
            for part, stored in ((TRAIN, "train"), (TEST, "val")):
                clips = self.clips(split, part)
                self._labels(folder / LABELS / f"{part}{split}.txt", clips, part)
                pull = float(self.asked.dials["backbone_fit"]) if part == TRAIN else 0.0
                features, posterior = draw_features(self.asked, self.world, clips, pull, split, step)
                known.append((clips.names, posterior))
                halves = np.split(features, 2, axis=1)
                for path, rows in zip(feature_files(folder, split, stored), halves, strict=True):
                    write_clip_features(path, clips.ids, clips.label, np.ascontiguousarray(rows))
            with PosteriorFile(posterior_path(folder, split)) as file:
                file.add_clips(*(np.concatenate(column) for column in zip(*known, strict=True)))

    def clips(self, split: int, part: str) -> ClipList:
        """The clips of one part; a test clip is listed with its first twin."""
        listed = [clip for clip in self.splits[split] if clip.part == part]
        names = np.array([clip.name for clip in listed])
        sense = np.array([clip.label for clip in listed], dtype=np.int64)
        label = (
            sense if part == TEST else np.array([self.twins[split][name] for name in names.tolist()], dtype=np.int64)
        )
        return ClipList(names, np.arange(len(names)), sense, label, source_videos(names))

    def _labels(self, path: Path, clips: ClipList, part: str) -> None:
        sets = [f"{c},{c + CLASSES}" if part == TEST else f"{c}" for c in clips.label.tolist()]
        rows = zip(clips.names.tolist(), clips.ids.tolist(), sets, strict=True)
        lines = [
            f"{2 * CLASSES if part == TEST else 0}",
            *(f"{name} {number} {labels} 0 63" for name, number, labels in rows),
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def recognition(asked: Request) -> Draft:
    """The pack of Confusing-HMDB-102, or of EPIC-Kitchens-100-SPMV."""
    return confusing(asked) if asked.card.reader == "hmdb" else kitchens(asked)


def confusing(asked: Request) -> ConfusingHmdb:
    """The splits as they are official, or as many generated clips, of which some are kept."""
    official = at_hand(asked, OFFICIAL, "hmdb51_splits")
    if official is not None:
        splits = {split: hmdb_split(official, split) for split in HMDB_SPLITS}
        twins: Mapping[int, Mapping[str, int]] = confusing_hmdb(official)
    else:
        splits = {split: _generated(split) for split in HMDB_SPLITS}
        coin = Random(AUTHORS_SEED)
        twins = {split: _tossed(clips, coin) for split, clips in splits.items()}
    kept = {split: _kept(clips, asked) for split, clips in splits.items()}
    return ConfusingHmdb(asked, "real" if official else "generated", kept, twins, asked.width(PUBLISHED, SMALL))


def _kept(clips: list[HmdbClip], asked: Request) -> list[HmdbClip]:
    listed = [clip for clip in clips if clip.part in (TRAIN, TEST)]
    # Films in turn: of clips from one film all would be held out together, and a class would not be learned at all.
    sources = source_videos(np.array([clip.name for clip in listed])).tolist()
    counts: Counter[str] = Counter()
    turns = []
    for source in sources:
        turns.append(counts[source])
        counts[source] += 1
    listed = [clip for _, clip in sorted(zip(turns, listed, strict=True), key=lambda pair: pair[0])]
    rows = [(clip.name, clip.part, str(clip.label)) for clip in listed]
    names = chosen(rows, asked.amount(len(rows), FEW))
    return [clip for clip in clips if clip.name in names]


def _tossed(clips: list[HmdbClip], coin: Random) -> dict[str, int]:
    train = [clip for clip in clips if clip.part == TRAIN]
    twins = toss([clip.label for clip in train], CLASSES, coin)
    return {clip.name: int(twin) for clip, twin in zip(train, twins, strict=True)}


def _generated(split: int) -> list[HmdbClip]:
    """Clips as the official splits list them: a film's clips stay together, another split begins with other films."""
    found = []
    for label in range(CLASSES):
        name = f"class_{label:02d}"
        clips = [(film, place) for film in range(FILMS) for place in range(sum(CLIPS.values()) // FILMS)]
        first = CLIPS[TEST] * (split - 1)
        for number, (film, place) in enumerate(clips):
            part = TEST if first <= number < first + CLIPS[TEST] else TRAIN
            found.append(HmdbClip(label, f"{name}/film{film:02d}_{name}_{place}", part))
    return found
