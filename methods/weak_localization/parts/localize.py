"""From activation sequences to the final detections of a split: upsample, propose, suppress, in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from methods.weak_localization.parts.proposals import Runs, upsample
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import hard_nms, one_shot_decay, video_class_groups
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


@dataclass(frozen=True)
class NonMaximumSuppression:
    """Which proposals of a video and class yield to better ones.

    ``hard`` removes those that overlap a better one by ``threshold``; ``decay`` lets each leave once, with its score
    lowered (the released ASL); ``none`` keeps all. ``plus`` seconds are added to lengths and overlaps.
    """

    kind: Literal["hard", "decay", "none"] = "hard"
    threshold: float = 0.5
    sigma: float = 0.35
    plus: float = 0.0

    def __call__(self, found: Segments) -> Segments:
        """The surviving rows, with their new scores."""
        if self.kind == "none" or len(found) == 0:
            return found
        score, group = np.asarray(found.score), video_class_groups(found.video, found.label)
        if self.kind == "hard":
            rows = hard_nms(found.start, found.end, score, self.threshold, group=group, plus=self.plus)
            return found.take(rows)
        rows, lowered = one_shot_decay(
            found.start, found.end, score, threshold=self.threshold, sigma=self.sigma, group=group, plus=self.plus
        )
        return Segments(found.video[rows], found.label[rows], found.start[rows], found.end[rows], lowered)


def localize(
    activations: Iterable[Activation], samples: Videos, propose: Propose, scale: int, suppression: NonMaximumSuppression
) -> Segments:
    """Scored segments in seconds of all videos of ``samples``, one activation per video, in their order.

    A snippet stands for the ``stride`` frames around the middle of its window.
    """
    parts = [Segments.empty(scored=True)]
    spans = samples.lengths * samples.snippet_seconds
    shifts = (samples.window - samples.stride) / (2 * samples.fps)
    for video, activation in enumerate(activations):
        if not len(activation.classes):
            continue
        # One contiguous row per class: every threshold passes over the whole of it.
        signals = np.ascontiguousarray(upsample(activation.signal, scale).T)
        ranks = signals if activation.rank is None else np.ascontiguousarray(upsample(activation.rank, scale).T)
        for which, probability, signal, rank in zip(activation.classes, activation.probability, signals, ranks):
            runs = propose(signal, float(probability), rank)
            start, end = runs.seconds(len(signal), float(spans[video]))
            count = len(start)
            shift = float(shifts[video])
            parts.append(Segments(np.full(count, video), np.full(count, which), start + shift, end + shift, runs.score))
    return suppression(Segments.concatenate(parts))
