"""planted-verbs: clips of a planted sense, described by any of several verbs, annotated with one of them.

A sense (cutting a carrot) can be described by a set of verbs (cut, slice, peel); two senses share some of their verbs,
so two verbs are interchangeable in one context and not in another. Features are Gaussian around the sense's appearance
and motion, hence p(sense | clip), P(verb is valid | clip) and every ceiling are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from suite.data.planted.bayes import ceilings, marginals
from suite.data.reading import Reader
from suite.errors import UsageError
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips
from suite.tasks.recognition.single_positive import head_and_tail, one_hot

SPLITS = ("train", "validation", "test")
SYNONYMS = 4  # verbs in a group of synonyms, from which a sense takes its verbs where senses do not overlap
CLIPS_A_VIDEO = 5
DRAWN = 1  # the version of the card whose draws these are; later ones left them as they were
PUBLISHED = ((15, 0.1), (10, 0.2))  # K and tau of neighbours' labels: released code, notebook
ASKED = 2000  # clips whose neighbours are looked at
REDRAWN = len(("world", *SPLITS, "ceilings"))  # the stream of labels that label_seed draws
GRID = 4096.0  # features are multiples of 1/GRID: the last bits of a sum differ between machines, these do not


@dataclass(frozen=True)
class VerbWorld:
    """M senses over C verbs: ``prior`` (M,), ``members`` (M, C) bool, annotators' ``preference`` (M, C).

    ``means`` (M, D) are mean features in noise standard deviations; ``scale`` (D,) is the norm of each channel:
    features are (mean + unit Gaussian noise) * scale.
    """

    prior: np.ndarray
    members: np.ndarray
    preference: np.ndarray
    means: np.ndarray
    scale: np.ndarray

    @property
    def verb_frequency(self) -> np.ndarray:
        """(C,) how often each verb is annotated."""
        return np.asarray(self.prior @ self.preference)

    def posterior(self, features: np.ndarray) -> np.ndarray:
        """(N, M) probability of each sense given unpulled ``features`` (N, D)."""
        x = features / self.scale
        log = np.log(self.prior) + x @ self.means.T - 0.5 * np.square(self.means).sum(axis=1)
        weight = np.exp(log - log.max(axis=1, keepdims=True))
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def draw_world(dials: Mapping[str, Any], generator: np.random.Generator) -> VerbWorld:
    """Draw senses, their verbs, their annotators and their places in feature space."""
    senses, verbs = int(dials["senses"]), int(dials["verbs"])
    prior = np.arange(1, senses + 1, dtype=np.float64) ** -float(dials["tail"])
    members = _draw_verbs(senses, verbs, dials, generator)
    preference = np.zeros((senses, verbs))
    for sense, valid in enumerate(members):
        preference[sense, valid] = generator.dirichlet(np.full(valid.sum(), float(dials["agreement"])))
    half = int(dials["channels"]) // 2
    scale = np.repeat([float(dials["norm_ratio"]), 1.0], half)
    means = np.hstack([_draw_means(senses, half, generator) for _ in range(2)])
    means *= float(dials["snr"]) / np.sqrt(4 * half)  # two standard normal means lie √(2 · 2 · half) apart
    return VerbWorld(prior / prior.sum(), members, preference, means, scale)


def _draw_verbs(senses: int, verbs: int, dials: Mapping[str, Any], generator: np.random.Generator) -> np.ndarray:
    """(M, C) each sense's verbs: one that goes round the vocabulary, others from its synonyms or from anywhere.

    With ``pairing=twins`` a sense has two verbs that no other sense has. Raises :class:`UsageError` where verbs are not
    twice as many.
    """
    if dials["pairing"] == "twins":
        if verbs != 2 * senses:
            raise UsageError(f"pairing=twins gives each of {senses} senses two verbs; set verbs={2 * senses}.")
        return np.repeat(np.eye(senses, dtype=bool), 2, axis=1)
    sizes = 1 + generator.binomial(3, (float(dials["ambiguity"]) - 1) / 3, size=senses)
    order = generator.permutation(verbs)
    group = np.empty(verbs, dtype=np.int64)
    group[order] = np.arange(verbs) // SYNONYMS
    members = np.zeros((senses, verbs), dtype=bool)
    for sense, size in enumerate(sizes):
        first = order[sense % verbs]
        members[sense, first] = True
        while members[sense].sum() < min(size, verbs):
            near = (group == group[first]) & ~members[sense]
            anywhere = generator.random() < float(dials["overlap"]) or not near.any()
            members[sense, generator.choice(np.flatnonzero(~members[sense] if anywhere else near))] = True
    return members


def _draw_means(senses: int, channels: int, generator: np.random.Generator) -> np.ndarray:
    """(M, channels) A μ_m with a random mixing A; rows have unit variance per channel on average."""
    mixing = generator.standard_normal((channels, channels)) / np.sqrt(channels)
    latent = generator.standard_normal((senses, channels))
    return np.einsum("cl,ml->mc", mixing, latent)


def draw_clips(world: VerbWorld, name: str, count: int, pull: float, generator: np.random.Generator) -> Clips:
    """Draw ``count`` clips of a split; ``pull`` moves features toward their label's mean, as a backbone's fit does."""
    sense = generator.choice(len(world.prior), size=count, p=world.prior)
    label = annotate(world, sense, generator)
    features = (world.means[sense] + generator.standard_normal((count, len(world.scale)))) * world.scale
    sharp = world.posterior(features)
    features += pull * (label_means(world)[label] - features)
    truth = world.members[sense]
    shown = one_hot(label, truth.shape[1]) if name == "validation" else truth
    oracle = {"sense": sense, "complete": truth, "posterior": marginals(sharp, world.members), "senses": sharp}
    ids = np.array([f"{name}-{i:06d}" for i in range(count)])
    unit = np.array([f"{name}-video-{i // CLIPS_A_VIDEO:05d}" for i in range(count)])
    return Clips(ids, _on_grid(features), label, shown, unit, oracle)


def annotate(world: VerbWorld, sense: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(N,) the one verb that an annotator gives each clip of a ``sense`` (N,), by the sense's preferences."""
    label = (generator.random(len(sense))[:, None] > world.preference[sense].cumsum(axis=1)).sum(axis=1)
    # Rounded sums of probabilities may end below a draw close to 1; such a clip gets the last verb of its sense.
    return np.minimum(label, np.array([np.flatnonzero(p)[-1] for p in world.preference])[sense])


def _on_grid(features: np.ndarray) -> np.ndarray:
    return np.asarray((np.round(features * GRID) / GRID).astype(np.float32))


def label_means(world: VerbWorld) -> np.ndarray:
    """(C, D) mean feature of the clips annotated with each verb."""
    joint = world.prior[:, None] * world.preference
    means = np.einsum("mc,md->cd", joint, world.means) / np.maximum(joint.sum(axis=0), 1e-300)[:, None]
    return np.asarray(means * world.scale)


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Clips]:
    """Generate the world and its three splits: a pure function of the card's version and the dials."""
    world = draw_world(dials, _stream(dials, 0))
    pull = {"train": float(dials["backbone_fit"])}
    count = {name: int(dials[name]) for name in SPLITS}
    if each := float(dials["clips_per_sense"]):
        count["train"] = max(2, round(each * len(world.prior)))
    clips = {
        name: draw_clips(world, name, count[name], pull.get(name, 0.0), _stream(dials, part))
        for part, name in enumerate(SPLITS, start=1)
    }
    facts = {
        "groups": head_and_tail(world.verb_frequency),
        "ceilings": ceilings(clips["test"].oracle["senses"], world.members, _stream(dials, len(SPLITS) + 1)),
        "cardinality": float(world.prior @ world.members.sum(axis=1)),
        "premises": premises(clips["train"]),
        "complete": ["train", "test"],
        "unit": "source video",
    }
    names = tuple(f"verb-{i:02d}" for i in range(int(dials["verbs"])))
    return TaskData.of(card.name, task, names, clips, facts)


def premises(train: Clips) -> dict[str, float]:
    """Clips per verb, and the precision of neighbours' labels at the published settings, for label_seed=0."""
    counts = np.bincount(train.label, minlength=train.truth.shape[1])
    found = {"clips per verb at the median": float(np.median(counts))}
    for k, tau in PUBLISHED:
        precision = neighbour_precision(train, k, tau) if k < len(train) else float("nan")
        if np.isfinite(precision):
            found[f"neighbour precision at ({k}, {tau:g})"] = round(precision, 2)
    return found


def neighbour_precision(train: Clips, k: int, tau: float) -> float:
    """Share that is right among the verbs which more than ``tau`` of a clip's ``k`` nearest clips carry.

    A clip's own label is none of them. At most ``ASKED`` clips are asked; equal distances may fall either way. NaN
    where no verb has enough votes.
    """
    rows = np.asarray(train.features, dtype=np.float64)
    asked = np.linspace(0, len(rows) - 1, min(ASKED, len(rows))).astype(np.int64)
    length, given, right = np.square(rows).sum(axis=1), 0, 0
    for part in np.array_split(asked, -(-len(asked) // 500)):
        distance = length - 2 * rows[part] @ rows.T
        distance[np.arange(len(part)), part] = np.inf
        near = np.argpartition(distance, k - 1, axis=1)[:, :k]
        votes = np.zeros((len(part), train.truth.shape[1]))
        np.add.at(votes, (np.arange(len(part))[:, None], train.label[near]), 1)
        named = votes / k > tau
        named[np.arange(len(part)), train.label[part]] = False
        given, right = given + int(named.sum()), right + int((named & train.truth[part].astype(bool)).sum())
    return right / given if given else float("nan")


def _stream(dials: Mapping[str, Any], *part: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([DRAWN, int(dials["world"]), *part]))


def redraw(data: TaskData[Clips], dials: Mapping[str, Value]) -> TaskData[Clips]:
    """``data`` whose single labels for training and validation are drawn with ``label_seed``; 0 is what was packed.

    Senses, label sets and test clips stay. Training features follow their new labels, as if the backbone had been
    fitted to these: they lie a share ``backbone_fit`` of the way to their label's mean.
    """
    seed, pull = int(dials["label_seed"]), float(dials["backbone_fit"])
    if seed == 0:
        return data
    world, train, validation = draw_world(dials, _stream(dials, 0)), data.train, data.validation
    label, shown = (
        annotate(world, np.asarray(clips.oracle["sense"]), _stream(dials, REDRAWN, seed, part))
        for part, clips in enumerate((train, validation))
    )
    if pull:
        means = label_means(world)
        moved = np.asarray(train.features, dtype=np.float64) + pull * (means[label] - means[np.asarray(train.label)])
        train = replace(train, features=_on_grid(moved))
        data = replace(data, facts={**data.facts, "features_of": f"label_seed={seed}"})
    truth = one_hot(shown, validation.truth.shape[1])
    validation = replace(validation, label=shown, truth=truth)
    return replace(data, train=replace(train, label=label), validation=validation)


READER = Reader(read, redraw)
