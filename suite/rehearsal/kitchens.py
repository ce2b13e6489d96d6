"""Packs of EPIC-Kitchens-100-SPMV: real segments, verbs and verb sets where they are at hand, generated features.

A sense is a way of doing something that several verbs describe (:mod:`suite.data.planted.verbs`). Each segment has the
sense that its verb suggests; a segment of the test shows all verbs of its sense.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from zlib import crc32

import numpy as np

from suite.data.known import posterior_path
from suite.data.planted.verbs import VerbWorld, draw_world
from suite.data.readers import epic
from suite.rehearsal.clip_world import ClipList, draw_features, world_dials
from suite.rehearsal.pickles import write_clip_features
from suite.rehearsal.posterior import PosteriorFile
from suite.rehearsal.request import Request, Step, at_hand
from suite.rehearsal.timelines import TEST, TRAIN, chosen

PUBLISHED, SMALL = 4096, 64
VERBS, SENSES = 97, 300
SEGMENTS = {TRAIN: 67217, TEST: 9668}  # training and validation segments as published
FEW = 970  # segments when nothing is said
A_VIDEO = 100  # generated segments of one video
COLUMNS = ("narration_id", "participant_id", "video_id", "verb_class")


@dataclass(frozen=True)
class Kitchens:
    """The segments of both parts with their verbs, and files that are taken as they are."""

    asked: Request
    origin: str
    verbs: Mapping[str, Mapping[str, int]]
    sets: Mapping[str, list[int]] | None
    files: Mapping[str, bytes]
    width: int

    @property
    def size(self) -> int:
        """About how many bytes the files take."""
        return sum(map(len, self.verbs.values())) * (self.width + VERBS) * 4

    @property
    def packed(self) -> int:
        """Bytes of what training maps from disk."""
        return self.size

    @property
    def holds(self) -> str:
        """Segments, channels, and what is real."""
        count = sum(map(len, self.verbs.values()))
        return f"{count} segments, {self.width} channels, {self.origin}"

    @cached_property
    def world(self) -> VerbWorld:
        """Senses as often as the verbs of the training segments suggest."""
        dials = world_dials(self.asked, SENSES, VERBS, self.width, tail=1.0)
        world = draw_world({"world": self.asked.seed, **dials}, self.asked.generator(7))
        counts = np.bincount(list(self.verbs[TRAIN].values()), minlength=VERBS).astype(np.float64)
        prior = _suggested(world) @ (counts / counts.sum())
        return replace(world, prior=np.maximum(prior, 1e-12))

    def clips(self, part: str) -> ClipList:
        """Segments in the order by which features are numbered, each with a sense drawn by its verb."""
        names = np.array(list(self.verbs[part]))
        label = np.array(list(self.verbs[part].values()), dtype=np.int64)
        edges = _suggested(self.world).cumsum(axis=0)
        draws = np.array([self.asked.generator(8, crc32(name.encode())).random() for name in names.tolist()])
        sense = np.minimum((draws[:, None] > edges[:, label].T).sum(axis=1), SENSES - 1)
        first = 0 if part == TRAIN else len(self.verbs[TRAIN])
        return ClipList(names, first + np.arange(len(names)), sense, label, np.char.rpartition(names, "_")[:, 0])

    def write(self, folder: Path, step: Step) -> None:
        """Annotations, verb sets, the two modalities of both parts, and the posterior."""
        (folder / epic.ANNOTATIONS).mkdir()
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        known = []
        for part, stored in ((TRAIN, "traindata_testmode"), (TEST, "val")):
            clips = self.clips(part)
            pull = float(self.asked.dials["backbone_fit"]) if part == TRAIN else 0.0
            features, posterior = draw_features(self.asked, self.world, clips, pull, 0, step)
            known.append((clips.names, posterior))
            for path, rows in zip((epic.RGB, epic.FLOW), np.split(features, 2, axis=1), strict=True):
                write_clip_features(folder / path.format(stored), clips.ids, clips.label, np.ascontiguousarray(rows))
            if part == TEST:
                (folder / epic.SPMV).write_bytes(self._sets(clips))
        if self.sets is None:  # of real verb sets nobody knows the probability
            with PosteriorFile(posterior_path(folder)) as file:
                file.add_clips(*(np.concatenate(column) for column in zip(*known, strict=True)))

    def _sets(self, clips: ClipList) -> bytes:
        """Verb sets of the test segments: the real ones, or of every other segment those of its sense."""
        if self.sets is not None:
            return _csv(("narration_id", "verb_labels"), [(n, json.dumps(v)) for n, v in self.sets.items()])
        rows = []
        for name, sense in list(zip(clips.names.tolist(), clips.sense.tolist(), strict=True))[::2]:
            rows.append((name, json.dumps(np.flatnonzero(self.world.members[sense]).tolist())))
        return _csv(("narration_id", "verb_labels"), rows)


def _suggested(world: VerbWorld) -> np.ndarray:
    """(M, C) probability of each sense given that a verb is annotated."""
    joint = world.prior[:, None] * world.preference
    return np.asarray(joint / np.maximum(joint.sum(axis=0), 1e-300))


def kitchens(asked: Request) -> Kitchens:
    """The segments that are at hand, or as many generated ones, of which some are kept."""
    notes = epic.ANNOTATIONS
    found = {
        name: at_hand(asked, f"{notes}/{name}", name)
        for name in ("EPIC_100_verb_classes.csv", "EPIC_100_train.csv", "EPIC_100_validation.csv", epic.SPMV)
    }
    classes, train, validation, sets = found.values()
    verbs = {TEST: epic.read_single_verbs(validation, VERBS) if validation else _segments(asked, TEST, None)}
    verbs[TRAIN] = epic.read_single_verbs(train, VERBS) if train else _segments(asked, TRAIN, verbs[TEST])
    rows = [(name, part, str(verb)) for part, held in verbs.items() for name, verb in held.items()]
    kept = chosen(rows, asked.amount(len(rows), FEW))
    verbs = {part: {name: verb for name, verb in held.items() if name in kept} for part, held in verbs.items()}
    real_sets = None
    if sets and validation:
        read = epic.read_verb_sets(sets, VERBS)
        real_sets = {name: np.flatnonzero(found).tolist() for name, found in read.items() if name in verbs[TEST]}
    listed = classes.read_bytes() if classes else _csv(("id", "key"), [(i, f"verb_{i:02d}") for i in range(VERBS)])
    files = {f"{notes}/EPIC_100_verb_classes.csv": listed}
    for part, name in ((TRAIN, "EPIC_100_train.csv"), (TEST, "EPIC_100_validation.csv")):
        files[f"{notes}/{name}"] = _annotation(verbs[part])
    what = {"training": train, "validation": validation, "verb sets": sets}
    origin = "; ".join(f"{'real' if path else 'generated'} {name}" for name, path in what.items())
    return Kitchens(asked, origin, verbs, real_sets, files, asked.width(PUBLISHED, SMALL))


def _segments(asked: Request, part: str, like: Mapping[str, int] | None) -> dict[str, int]:
    """Generated segments with verbs as often as in ``like``, else by Zipf's law; videos of both parts differ."""
    counts = np.bincount(list(like.values()), minlength=VERBS) + 0.1 if like else 1.0 / np.arange(1, VERBS + 1)
    number = list(SEGMENTS).index(part)
    drawn = asked.generator(9, number).choice(VERBS, size=SEGMENTS[part], p=counts / counts.sum())
    names = [
        f"P{1 + i // A_VIDEO % 37:02d}_{901 + number * 4000 + i // A_VIDEO}_{i % A_VIDEO}" for i in range(len(drawn))
    ]
    return {
        name: int(verb) for name, verb in sorted(zip(names, drawn, strict=True), key=lambda row: epic.place_of(row[0]))
    }


def _annotation(verbs: Mapping[str, int]) -> bytes:
    rows = [(name, name.split("_")[0], name.rpartition("_")[0], verb) for name, verb in verbs.items()]
    return _csv(COLUMNS, rows)


def _csv(columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([columns, *rows])
    return text.getvalue().encode("utf-8")
