"""From activation sequences to the final detections of a split: upsample, propose, suppress, in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from methods.weak_localization.parts.proposals import Runs, upsample
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import NonMaximumSuppression
from suite.tasks.localization.samples import Videos

Propose = Callable[[np.ndarray, float, np.ndarray], Runs]


@dataclass(frozen=True)
class Activation:
    """What a video shows: K ``classes`` (K,), their ``probability`` (K,) and the ``signal`` (T, K) that is thresholded.

    The T positions are evenly spaced over the video's snippets, whatever T is. ``rank`` (T, K) is what proposals are
    scored by, where that is another signal. A class may stand in several columns (one per modality).
    """

    classes: np.ndarray
    probability: np.ndarray
    signal: np.ndarray
    rank: np.ndarray | None = None


def localize(
    activations: Iterable[Activation], samples: Videos, propose: Propose, scale: int, suppression: NonMaximumSuppression
) -> Segments:
    """Scored segments in seconds of all videos of ``samples``, one activation per video, in their order.

    A snippet stands for the ``stride`` frames around the middle of its window.
    """
    origins: list[tuple[float, ...]] = []  # video, class, points, seconds and shift of each signal
    found: list[Runs] = []  # and its runs
    spans = samples.lengths * samples.snippet_seconds
    shifts = (samples.window - samples.stride) / (2 * samples.fps)
    for video, activation in enumerate(activations):
        if not len(activation.classes):
            continue
        # One contiguous row per class: every threshold passes over the whole of it.
        signals = np.ascontiguousarray(upsample(activation.signal, scale).T)
        ranks = signals if activation.rank is None else np.ascontiguousarray(upsample(activation.rank, scale).T)
        for which, probability, signal, rank in zip(activation.classes, activation.probability, signals, ranks):
            found.append(propose(signal, float(probability), rank))
            origins.append((video, which, len(signal), spans[video], shifts[video]))
    runs, counts = Runs.concatenate(found), [len(one.score) for one in found]
    rows = np.repeat(np.array(origins, dtype=np.float64).reshape(-1, 5), counts, axis=0)
    videos, classes, points, seconds, shift = rows.T
    start, end = runs.seconds(points, seconds)
    return suppression(Segments(videos, classes, start + shift, end + shift, runs.score))
