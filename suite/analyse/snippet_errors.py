"""Context and actionness errors, snippet by snippet, of one method against another, with intervals (ASL, Fig. 5a).

A snippet counts as selected when its middle lies in a detection that is kept. The paper does not say which detections
are; here those are kept that DETAD looks at: of each class the best n · G, G its number of annotated instances.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from suite.analyse.subject import Subject
from suite.errors import UsageError
from suite.evaluate.segments import Segments
from suite.evaluate.snippets import covered

NAMES = ("true positives", "context errors", "actionness errors", "true negatives")
DRAWS = 2000


@dataclass(frozen=True)
class Change:
    """One kind of snippet: how many of ours and theirs, and the relative change with its 95 % interval."""

    kind: str
    ours: float
    theirs: float
    change: float
    low: float
    high: float


def best_detections(predictions: Segments, truth: Segments, multiple: float) -> Segments:
    """Of each class the ``multiple`` times as many best detections as it has annotated instances."""
    if predictions.score is None or not len(predictions):
        return predictions
    order = np.lexsort((-predictions.score, predictions.label))
    label = predictions.label[order]
    first = np.searchsorted(label, label, side="left")
    instances = np.bincount(truth.label, minlength=int(predictions.label.max()) + 1)
    return predictions.take(order[np.arange(len(order)) - first < multiple * instances[label]])


def counts_by_video(one: Subject, multiple: float = 1.0) -> np.ndarray:
    """(V, 4) snippets of each video of the protocol by kind, in the order of ``NAMES``."""
    samples = one.samples
    kept = best_detections(one.predictions, samples.segments, multiple)
    rows = []
    for video in one.videos:
        length, seconds = int(samples.lengths[video]), float(samples.snippet_seconds[video])
        selected, action = covered(kept, int(video), length, seconds), inside(one, int(video))
        rows.append([(selected == s)[action == a].sum() for s, a in ((1, 1), (1, 0), (0, 1), (0, 0))])
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def inside(one: Subject, video: int) -> np.ndarray:
    """(L,) whether a snippet of the video holds an action: planted truth where there is one, else the annotation."""
    samples = one.samples
    if "inside" in samples.oracle:
        known = samples.oracle["inside"][samples.offsets[video] : samples.offsets[video + 1]]
        return np.asarray(np.any(known, axis=1))
    length, seconds = int(samples.lengths[video]), float(samples.snippet_seconds[video])
    return covered(samples.segments, video, length, seconds)


def compare_errors(
    ours: Sequence[Subject], theirs: Sequence[Subject], multiple: float = 1.0, draws: int = DRAWS, seed: int = 0
) -> list[Change]:
    """Relative changes of the four counts, ours against theirs, counts added over seeds.

    Intervals are 2.5 and 97.5 percentiles over videos drawn with replacement, the same draw for both methods and all
    their seeds. Raises :class:`UsageError` for runs that did not see the same videos.
    """
    identities = {(one.data.name, one.data.protocol, tuple(one.samples.ids.tolist())) for one in (*ours, *theirs)}
    if len(identities) != 1:
        raise UsageError("the runs compared were not scored on the same videos; give runs of one dataset and protocol.")
    mine, other = (sum_over(group, multiple) for group in (ours, theirs))
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(mine), np.full(len(mine), 1 / len(mine)), size=draws).astype(np.float64)
    drawn = relative(weights @ mine / len(ours), weights @ other / len(theirs))
    with warnings.catch_warnings():  # a kind that no draw holds has no interval
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    totals = mine.sum(axis=0) / len(ours), other.sum(axis=0) / len(theirs)
    change = relative(*totals)
    columns = (NAMES, *totals, change, low, high)
    return [Change(kind, *map(float, values)) for kind, *values in zip(*columns, strict=True)]


def sum_over(group: Sequence[Subject], multiple: float) -> np.ndarray:
    """(V, 4) counts added over the runs of a method."""
    return np.sum([counts_by_video(one, multiple) for one in group], axis=0)


def relative(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """``ours / theirs - 1``, NaN where there is nothing to compare with."""
    return np.divide(ours, theirs, out=np.full(np.shape(ours), np.nan), where=theirs > 0) - 1
