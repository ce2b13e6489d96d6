"""ava-v1-planted: the real people, label sets and videos of AVA v1.0's test annotations with generated features.

Boxes, labels, their co-occurrence, long tail and order in time are real; what a network would see of each person is
generated. People are followed from one key frame (3 s) to the next by the overlap of their boxes. Halfway between two
key frames stand the unlabelled ones: the same people on their way, doing what they do before or after.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from suite.data.planted.actor_world import ActorWorld, actor_features, class_directions, known_sets, world_settings
from suite.data.planted.actors import ceilings
from suite.data.readers.ava import box_overlap
from suite.data.reading import Reader
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.actors.ava_files import label_map, read_annotations
from suite.tasks.actors.samples import Actors
from suite.tasks.actors.tables import BoxTable, assemble, frequent_and_rare
from suite.tasks.data import TaskData

STEP = 3.0  # seconds between annotated key frames of v1.0
SAME_PERSON = 0.4  # overlap from which two boxes on consecutive key frames are one person
SPLITS = {"train": 0.6, "validation": 0.15, "test": 0.25}  # shares of the videos


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Actors]:
    """Read the annotations, split them by video, and generate features by the card's version and the dials."""
    names, poses = label_map(folder / card.options["label_map"])
    ids = sorted(names)
    table = in_time_order(read_annotations(folder / card.options["annotations"], ids))
    seeds = np.random.SeedSequence([card.version, int(dials["world_seed"])]).spawn(3)
    sets, prior = known_sets(table.labels)
    directions = class_directions(
        len(ids), int(dials["channels"]), float(dials["confusability"]), np.random.default_rng(seeds[0])
    )
    world = ActorWorld(directions, sets, prior, *world_settings(dials))
    parts = split_videos(np.unique(table.video), np.random.default_rng(seeds[1]))
    samples = {
        split: _split(split, table.take(np.isin(table.video, videos)), world, dials, np.random.default_rng(seed))
        for (split, videos), seed in zip(parts.items(), seeds[2].spawn(len(parts)), strict=True)
    }
    counts = samples["train"].labels[samples["train"].labelled].sum(axis=0)
    facts = {"poses": len(poses & set(ids)), "class_ids": ids, "groups": frequent_and_rare(counts), "unit": "video"}
    facts["ceilings"] = ceilings(samples["test"])
    return TaskData.of(card.name, task, (names[number] for number in ids), samples, facts)


def in_time_order(table: BoxTable) -> BoxTable:
    """Rows by video, then second, then as they were."""
    return table.take(np.lexsort((np.arange(len(table)), table.second, table.video)))


def split_videos(videos: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Videos of each split, drawn once for the world."""
    shuffled = generator.permutation(videos)
    edges = np.round(np.cumsum(list(SPLITS.values())) * len(videos)).astype(int)
    return dict(zip(SPLITS, np.split(shuffled, edges[:-1]), strict=True))


def follow(table: BoxTable, step: float) -> np.ndarray:
    """(N,) row of the same person at the key frame ``step`` seconds before, or -1: best overlaps first, one to one."""
    before = np.full(len(table), -1)
    frames: dict[tuple[str, float], list[int]] = {}
    for row, key in enumerate(zip(table.video, table.second)):
        frames.setdefault((str(key[0]), float(key[1])), []).append(row)
    for (video, second), rows in frames.items():
        earlier = frames.get((video, second - step))
        if not earlier:
            continue
        overlap = box_overlap(table.box[rows], table.box[earlier])
        # The best pair first; its row and column are then spent, so that nobody is followed twice.
        while overlap.size and overlap.max() >= SAME_PERSON:
            now, then = np.unravel_index(int(overlap.argmax()), overlap.shape)
            before[rows[now]] = earlier[then]
            overlap[now, :], overlap[:, then] = -1, -1
    return before


def with_halfway(table: BoxTable, generator: np.random.Generator) -> tuple[BoxTable, np.ndarray, np.ndarray]:
    """The table with unlabelled people between key frames, who each row follows, and which rows are halfway.

    A person halfway has the mean box of the two key frames it is on, and the labels of either with equal chance.
    """
    before = follow(table, STEP)
    later = np.flatnonzero(before >= 0)
    earlier = before[later]
    labels = np.where(generator.random(len(later))[:, None] < 0.5, table.labels[earlier], table.labels[later])
    between = BoxTable(
        table.video[later],
        table.second[later] - STEP / 2,
        (table.box[later] + table.box[earlier]) / 2,
        labels,
        np.ones(len(later)),
    )
    fields = BoxTable.__dataclass_fields__
    both = BoxTable(*(np.concatenate([getattr(table, name), getattr(between, name)]) for name in fields))
    previous = np.concatenate([before, earlier])
    previous[later] = len(table) + np.arange(
        len(later)
    )  # a key frame follows the one halfway, not the key frame before
    order = np.lexsort((np.arange(len(both)), both.second, both.video))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    previous = np.where(previous[order] >= 0, place[previous[order]], -1)
    return both.take(order), previous, order >= len(table)


def _split(
    split: str, table: BoxTable, world: ActorWorld, dials: Mapping[str, Value], generator: np.random.Generator
) -> Actors:
    halfway = np.zeros(len(table), dtype=bool)
    previous = follow(table, STEP)
    if split == "train" and dials["unlabelled"]:
        table, previous, halfway = with_halfway(table, generator)
    videos, video = np.unique(table.video, return_inverse=True)
    offsets = generator.standard_normal((len(videos), world.directions.shape[1]))
    features = actor_features(world, table.labels, video, previous, offsets, float(dials["persistence"]), generator)
    features[halfway] += np.float32(float(dials["unlabelled_shift"]) * world.noise)
    oracle = {"posterior": world.posterior(features)} if split != "train" else {}
    return assemble(table, features=features, labelled=~halfway, oracle=oracle)


READER = Reader(read)
