"""planted-actors: people in videos with a pose and interactions, long-tailed, at the level of actor features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from suite.data.planted.actor_world import (
    ActorWorld,
    actor_features,
    class_directions,
    known_sets,
    nuisance_directions,
    world_settings,
)
from suite.data.reading import Reader
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.actors.precision import frame_precision
from suite.tasks.actors.samples import Actors
from suite.tasks.actors.tables import BoxTable, assemble, frequent_and_rare
from suite.tasks.data import TaskData

INTERACTIONS = (0.1772, 0.5074, 0.2586, 0.0515, 0.0048, 0.0005)  # 0 ... 5 labels beside the pose: shares in AVA v1.0
PARTNERS = 10  # interactions that go with a pose
DRAWS = 100_000  # label sets drawn to know how often each occurs
STEP = 1.0  # seconds between key frames; unlabelled key frames lie half a step after labelled ones
STAY = 0.8  # probability that an actor of a key frame is in the next, and that it goes on doing what it does
SPLITS = ("train", "validation", "test")
DRAWN = 1  # the version of the card whose draws these are; what version 2 adds has draws of its own


@dataclass(frozen=True)
class LabelLaw:
    """How label sets come about: ``poses`` (P,) probabilities, ``partners`` (P, C - P) weights of interactions."""

    poses: np.ndarray
    partners: np.ndarray

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """(count, C) bool: a pose, and a few interactions without repetition by the weights of that pose."""
        pose = generator.choice(len(self.poses), size=count, p=self.poses)
        wanted = generator.choice(len(INTERACTIONS), size=count, p=np.array(INTERACTIONS) / sum(INTERACTIONS))
        # Log weights plus Gumbel noise, sorted, are draws without repetition by those weights; log 0 is minus infinity,
        # last.
        with np.errstate(divide="ignore"):
            keys = np.log(self.partners)[pose] + generator.gumbel(size=(count, self.partners.shape[1]))
        order = np.argsort(-keys, axis=1)[:, : len(INTERACTIONS) - 1]
        labels = np.zeros((count, len(self.poses) + self.partners.shape[1]), dtype=bool)
        labels[np.arange(count), pose] = True
        for place in range(order.shape[1]):
            rows = np.flatnonzero((wanted > place) & (self.partners[pose, order[:, place]] > 0))
            labels[rows, len(self.poses) + order[rows, place]] = True
        return labels


def label_law(classes: int, poses: int, tail: float, generator: np.random.Generator) -> LabelLaw:
    """Zipf frequencies of poses and interactions; each pose goes with its own ``PARTNERS`` interactions, unevenly."""
    interactions = classes - poses
    zipf = np.arange(1, interactions + 1, dtype=np.float64) ** -tail
    partners = np.zeros((poses, interactions))
    for pose in range(poses):
        first = np.arange(pose, interactions, poses)  # so that every interaction goes with some pose
        others = np.setdiff1d(generator.permutation(interactions), first, assume_unique=True)
        own = np.concatenate([first, others[: max(PARTNERS - len(first), 0)]])
        partners[pose, own] = zipf[own] * generator.lognormal(0.0, 1.0, size=len(own))
    frequency = np.arange(1, poses + 1, dtype=np.float64) ** -tail
    return LabelLaw(frequency / frequency.sum(), partners)


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Actors]:
    """Generate the world: a pure function of the card's version and the dials."""
    seeds = np.random.SeedSequence([DRAWN, int(dials["world_seed"])]).spawn(5)
    classes, poses = int(dials["classes"]), int(dials["poses"])
    law = label_law(classes, poses, float(dials["tail"]), np.random.default_rng(seeds[0]))
    sets, prior = known_sets(law.draw(DRAWS, np.random.default_rng(seeds[1])))
    directions = class_directions(
        classes, int(dials["channels"]), float(dials["confusability"]), np.random.default_rng(seeds[2])
    )
    offset, noise = world_settings(dials)
    nuisance = np.zeros((0, directions.shape[1]))
    if count := int(dials["nuisance"]):
        strength = float(dials["nuisance_snr"]) * noise
        directions, nuisance = nuisance_directions(directions, count, strength, np.random.default_rng(seeds[4]))
    world = ActorWorld(directions, sets, prior, offset, noise, float(dials["mirrored"]), nuisance)
    samples = {
        split: _split(split, law, world, dials, np.random.default_rng(seed))
        for split, seed in zip(SPLITS, seeds[3].spawn(len(SPLITS)), strict=True)
    }
    names = [f"pose {c}" for c in range(poses)] + [f"interaction {c}" for c in range(classes - poses)]
    counts = samples["train"].labels[samples["train"].labelled].sum(axis=0)
    facts = {
        "poses": poses,
        "groups": frequent_and_rare(counts),
        "unit": "video",
        "ceilings": ceilings(samples["test"]),
        "premises": premises(samples["train"]),
    }
    if len(nuisance):
        facts["nuisance"] = nuisance.tolist()
    return TaskData.of(card.name, task, names, samples, facts)


def ceilings(test: Actors) -> dict[str, float]:
    """What ranking the test people by their own posterior is worth."""
    return {"mAP": frame_precision(test, test.oracle["posterior"]).mean_ap}


def premises(train: Actors) -> dict[str, float]:
    """How many people show the rarest and the commonest class if a share of them is labelled: 1, .1 and .05."""
    counts = train.labels[train.labelled].sum(axis=0)
    shares = {
        f"labelled people of the rarest class at {share:g}": round(share * counts.min()) for share in (1, 0.1, 0.05)
    }
    return shares | {"commonest against rarest class": round(float(counts.max() / max(1, counts.min())), 1)}


def _split(
    split: str, law: LabelLaw, world: ActorWorld, dials: Mapping[str, Value], generator: np.random.Generator
) -> Actors:
    """The videos of one split; unlabelled key frames only in training."""
    videos, frames = int(dials[f"{split}_videos"]), int(dials["key_frames"])
    between = split == "train" and bool(dials["unlabelled"])
    table, video, previous = draw_people(split, videos, frames, between, law, generator)
    offsets = generator.standard_normal((videos, world.directions.shape[1]))
    halfway = table.second % STEP != 0
    features = actor_features(world, table.labels, video, previous, offsets, float(dials["persistence"]), generator)
    if split == "train":
        features[halfway] += np.float32(float(dials["unlabelled_shift"]) * world.noise)
    oracle = {"posterior": world.posterior(features)} if split != "train" else {}
    return assemble(table, features=features, labelled=~halfway, oracle=oracle)


def draw_people(
    split: str, videos: int, frames: int, between: bool, law: LabelLaw, generator: np.random.Generator
) -> tuple[BoxTable, np.ndarray, np.ndarray]:
    """Who is where and does what at every key frame, in time order, with the row of the same person before."""
    step = STEP / 2 if between else STEP
    rows: list[tuple[int, float, int]] = []  # video, second, row before
    labels: list[np.ndarray] = []
    boxes: list[np.ndarray] = []
    for video in range(videos):
        before: list[int] = []
        for moment in range(frames * (2 if between else 1)):
            stay = [row for row in before if generator.random() < STAY ** (step / STEP)]
            arrive = int(generator.poisson(0.5)) + (not stay)
            fresh = law.draw(len(stay) + arrive, generator)
            before = []
            for place in range(len(stay) + arrive):
                old = stay[place] if place < len(stay) else -1
                goes_on = old >= 0 and generator.random() < STAY ** (step / STEP)
                labels.append(labels[old] if goes_on else fresh[place])
                boxes.append(_moved(boxes[old], generator) if old >= 0 else _placed(generator))
                before.append(len(rows))
                rows.append((video, moment * step, old))
    names = np.array([f"{split}-{video:03d}" for video, _, _ in rows], dtype=str)
    second = np.array([second for _, second, _ in rows])
    table = BoxTable(names, second, np.stack(boxes), np.stack(labels), np.ones(len(rows)))
    return table, np.array([video for video, _, _ in rows]), np.array([old for _, _, old in rows])


def _placed(generator: np.random.Generator) -> np.ndarray:
    width, height = generator.uniform(0.1, 0.4), generator.uniform(0.3, 0.9)
    x, y = generator.uniform(0, 1 - width), generator.uniform(0, 1 - height)
    return np.array([x, y, x + width, y + height])


def _moved(box: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    shift = np.tile(generator.normal(0.0, 0.02, size=2), 2)
    return np.clip(box + np.clip(shift, -np.tile(box[:2], 2), np.tile(1 - box[2:], 2)), 0.0, 1.0)


READER = Reader(read)
