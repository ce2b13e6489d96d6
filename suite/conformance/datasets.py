"""What should be known of a dataset before numbers on it are believed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from suite.conformance.arrays import (
    LEARNED,
    TRUE,
    float_arrays,
    has_labels,
    label_sets,
    prints,
    snippets,
    unknown_share,
    vectors,
    wholly_known,
)
from suite.conformance.finding import Doubt, Finding, tried
from suite.conformance.predictors import guessed, majority, probed
from suite.data import load
from suite.tasks import Metric, Task, task
from suite.tasks.annotators import Panel
from suite.tasks.data import SPLITS, Samples, TaskData

Said = tuple[str, Mapping[str, Any]]
LOOKED_AT = 50_000  # samples of a split that are compared with those of another
PROBED = 5_000  # samples of a split that a probe sees
DRAWS = 5  # random predictors, whose mean is reported
FEW = 10  # labels that tell test samples apart; with fewer a probe says nothing
ENOUGH = 30  # with fewer a probe may fail by chance
UNEVEN = 100  # ratio of the commonest to the rarest class from which it is reported
NAMED = 3  # names in a sentence
NUMBERED = re.compile(r"(.*?)[-_. ]*\d+")  # an id that ends in a number, and what stands before that


@dataclass(frozen=True)
class Subject:
    """The dataset that is looked into, as its task sees it."""

    data: TaskData[Any]
    served: Task

    def chosen(self, split: str, most: int, among: np.ndarray | None = None) -> np.ndarray:
        """Indices of at most so many samples of a split (``among`` (N,) bool), drawn with a fixed seed, in order."""
        rows = np.arange(len(self.data.split(split))) if among is None else np.flatnonzero(among)
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
        return rows


def inspect(name: str, served: str = "", root: Path | None = None, cache: Path | None = None) -> Iterator[Finding]:
    """Look into the dataset called ``name`` (with or without dials) as the task ``served`` sees it.

    The first finding says whether it can be opened at all. Nothing is trained but a linear probe.
    """
    held: list[Subject] = []
    opening = tried(lambda _: _opens(name, served, root, cache, held), None, "opens")
    yield opening
    for subject in held:
        for check in (_shapes, _numbers, _classes, _apart, _informative, _chance):
            yield tried(check, subject)
        if Panel.of(subject.data) is not None:
            yield tried(_people, subject)
        if "premises" in subject.data.facts:
            yield tried(_premises, subject)


def _opens(name: str, served: str, root: Path | None, cache: Path | None, held: list[Subject]) -> Said:
    data: TaskData[Any] = load(name, served, root, cache)
    held.append(Subject(data, task(data.task)))
    sizes = {split: len(data.split(split)) for split in SPLITS}
    listed = ", ".join(f"{count} {split}" for split, count in sizes.items())
    return f"{data.name} for {data.task}, {len(data.classes)} classes; samples: {listed}", sizes


def _shapes(subject: Subject) -> Said:
    """splits agree in shape"""
    widths = {}
    for split in SPLITS:
        samples = subject.data.split(split)
        assert len(samples), f"{split} holds no sample; give it some"
        names, times = np.unique(samples.ids, return_counts=True)
        assert times.max() == 1, f"{split} holds the id '{names[times.argmax()]}' {times.max()} times; make ids unique"
        held = getattr(samples, subject.served.features, None)
        widths[split] = tuple(held.shape[1:]) if held is not None else ()
    assert len(set(widths.values())) == 1, f"features differ in shape: {widths}; make them alike"
    width = "×".join(map(str, widths["train"])) if any(widths["train"]) else "no"
    return f"{width} channels in every split", {"features": list(widths["train"])}


def _numbers(subject: Subject) -> Said:
    """every value is a number"""
    empty = {}
    for split in SPLITS:
        samples = subject.data.split(split)
        for name, array in float_arrays(samples):
            if name != subject.served.features:  # those were looked at when they were packed
                wrong = int((~np.isfinite(array)).sum())
                assert not wrong, f"{wrong} values of '{name}' in {split} are not finite; correct the reader"
        held = getattr(samples, subject.served.features, None)
        if held is not None and held.ndim == 2 and held.shape[1]:
            empty[split] = int((~np.asarray(held[:LOOKED_AT]).any(axis=1)).sum())
    facts = {"rows of zeros": empty}
    if sum(empty.values()):
        listed = ", ".join(f"{count} in {split}" for split, count in empty.items() if count)
        raise Doubt(f"rows of features that are all zero: {listed}", facts)
    return "all values are finite, no row of features is all zero", facts


def _classes(subject: Subject) -> Said:
    """training shows every class"""
    data = subject.data
    learned, tested = (label_sets(*one) for one in _labelled(data))
    if learned is None or tested is None:
        return "the samples have no labels that are known here", {}
    counts = learned[has_labels(data.train)].sum(axis=0)
    missing = [data.classes[c] for c in np.flatnonzero((counts == 0) & tested.any(axis=0))]
    facts: dict[str, Any] = {"counts": dict(zip(data.classes, counts.tolist())), "missing": missing}
    said = f"{counts.min()} to {counts.max()} samples a class, {np.median(counts):g} at the median"
    if unknown := {split: share for split in SPLITS if (share := unknown_share(data.split(split)))}:
        facts["unknown"] = unknown
        said += "; unknown labels: " + ", ".join(f"{share:.0%} in {split}" for split, share in unknown.items())
    if missing:
        names = ", ".join(missing[:NAMED]) + (f" and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
        raise Doubt(f"no labelled training sample shows {names}, which test data do; {said}", facts)
    shown = counts[counts > 0]
    if len(shown) and shown.max() >= UNEVEN * shown.min():
        raise Doubt(f"{said}: look at metrics of each class", facts)
    return said, facts


def _labelled(data: TaskData[Any]) -> tuple[tuple[Any, int, tuple[str, ...]], tuple[Any, int, tuple[str, ...]]]:
    """What :func:`label_sets` needs of the training samples, and of the test samples."""
    return (data.train, len(data.classes), LEARNED), (data.test, len(data.classes), TRUE)


def _apart(subject: Subject) -> Said:
    """splits share no sample, no video and no person"""
    data = subject.data
    seen = {split: prints(subject.served, data.split(split), subject.chosen(split, LOOKED_AT)) for split in SPLITS}
    for one, other in combinations(SPLITS, 2):
        if data.facts.get("validation_is_test") and one == "validation":
            continue
        for field in ("ids", "unit", "video"):
            shared = _shared(data.split(one), data.split(other), field)
            assert not len(shared), f"{field} '{shared[0]}' is in both {one} and {other} ({len(shared)} such)"
        twins = seen[one].keys() & seen[other].keys()
        if twins:
            twin = min(twins, key=lambda print_: seen[one][print_])
            pair = f"'{seen[one][twin]}' ({one}) and '{seen[other][twin]}' ({other})"
            raise AssertionError(f"{len(twins)} samples have the same features in {one} and {other}, first {pair}")
    units = {split: len(np.unique(data.split(split).unit)) for split in SPLITS}
    if stem := _shared_stem(data):
        raise Doubt(
            f"every sample is a unit of its own, but ids {stem}: if these are of one video or person, say so in 'unit'",
            {"units": units},
        )
    listed = ", ".join(f"{count} {split}" for split, count in units.items())
    return f"units that no two splits share: {listed}", {"units": units}


def _shared(one: Samples, other: Samples, field: str) -> np.ndarray:
    """The values of a field (N,) str that both have, where they have that field."""
    first, second = getattr(one, field, None), getattr(other, field, None)
    if first is None or second is None:
        return np.zeros(0, dtype=str)
    return np.intersect1d(first, second)


def _shared_stem(data: TaskData[Any]) -> str:
    """Two ids of different splits that differ in a final number alone, where that may mean parts of one recording.

    Empty where samples share units within a split (the reader knows about them), and where ids are numbered through:
    then there are few stems, with many samples each.
    """
    stems: dict[str, dict[str, str]] = {}
    for split in SPLITS:
        samples = data.split(split)
        if len(np.unique(samples.unit)) < len(samples):
            return ""
        for name in samples.ids.tolist():
            if match := NUMBERED.fullmatch(name):
                stems.setdefault(match[1], {})[split] = name
    total = sum(len(data.split(split)) for split in SPLITS)
    shared = [places for places in stems.values() if len(places) > 1]
    if not shared or len(stems) * 20 < total:
        return ""
    return "such as " + " and ".join(f"'{name}' ({split})" for split, name in shared[0].items())


def _informative(subject: Subject) -> Said:
    """labels say something about features"""
    teach, test = _examples(subject, "train", LEARNED), _examples(subject, "test", TRUE)
    if teach is None or test is None:
        return "there are no features, or no samples with labels that are all known, to probe", {}
    (features, labels), (unseen, truth) = teach, test
    rarer = int(np.minimum(truth.sum(axis=0), (~truth).sum(axis=0)).sum())
    if rarer < FEW:
        raise Doubt(f"nearly all samples have the same classes: {rarer} labels of test samples tell them apart", {})
    share, shuffled = probed(features, labels, unseen, truth, np.random.default_rng(0))
    said = f"a linear probe follows {share:.1%} of the variance of labels"
    said = f"{said}, with shuffled labels {shuffled.min():.1%} to {shuffled.max():.1%}"
    facts = {"followed": share, "shuffled": shuffled.tolist()}
    if share <= shuffled.max() and rarer < ENOUGH:
        raise Doubt(f"{said}: too few test labels ({rarer}) to say", facts)
    assert share > shuffled.max(), f"{said}: look whether labels and features belong to the same samples"
    return said, facts


def _examples(subject: Subject, split: str, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Features (n, D) and labels (n, C) of at most PROBED labelled samples, or of snippets where they are known."""
    samples, classes = subject.data.split(split), len(subject.data.classes)
    generator = np.random.default_rng(0)
    if (found := snippets(samples, classes)) is not None:
        rows, shown = found
        chosen = np.sort(generator.permutation(len(rows))[:PROBED])
        return np.asarray(rows[chosen], dtype=np.float64), shown[chosen]
    labels = label_sets(samples, classes, names)
    if labels is None:
        return None
    usable = has_labels(samples) & wholly_known(samples)  # an unknown label is not an absent one
    chosen = subject.chosen(split, PROBED, usable & np.asarray(labels.any(axis=1)))
    features = vectors(subject.served, samples, chosen) if len(chosen) else None
    return None if features is None else (features, labels[chosen])


def _chance(subject: Subject) -> Said:
    """what can be had without looking"""
    data, served = subject.data, subject.served
    draws = [guessed(served, data, np.random.default_rng(seed)) for seed in range(DRAWS)]
    values = {"random": float(np.mean([_headline(served, draw, data) for draw in draws]))}
    if (common := majority(served, data)) is not None:
        values["majority"] = _headline(served, common, data)
    ceilings = data.facts.get("ceilings", {})
    if served.headline in ceilings:
        values["ceiling"] = float(ceilings[served.headline])
    listed = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
    return f"{served.headline} on test data: {listed}", {"metric": served.headline, **values}


def _people(subject: Subject) -> Said:
    """annotators agree more than chance"""
    data, served, panel = subject.data, subject.served, Panel.of(subject.data)
    people = served.people(data)
    values = {name: served.headline_of(rows) for name, rows in people.items() if _has_headline(served, rows)}
    assert panel is not None and values, "no two annotators said anything about the same test samples"
    listed = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
    said = f"{served.headline} of each against {panel.against}: {listed}"
    left = {name: count for name, count in data.facts["annotators"].items() if name.endswith("left out")}
    facts = {"metric": served.headline, "against": panel.against, "people": values, **left}
    common = majority(served, data)
    if common is not None and np.mean(list(values.values())) <= (least := _headline(served, common, data)):
        raise Doubt(f"{said}: no better than a majority predictor ({least:.3f})", facts)
    return said, facts


def _has_headline(served: Task, rows: Sequence[Metric]) -> bool:
    return any(row.metric == served.headline and row.threshold is None for row in rows)


def _premises(subject: Subject) -> Said:
    """what methods' premises rest on"""
    known = subject.data.facts["premises"]
    return ", ".join(f"{name} {value:g}" for name, value in known.items()), known


def _headline(served: Task, predictions: Any, data: TaskData[Any]) -> float:
    return served.headline_of(served.evaluate(predictions, data.test, data))
