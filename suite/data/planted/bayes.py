"""Ceilings of multi-label metrics: what the best decision is worth when the posterior of the label set is known.

A world has M possible label sets, ``members`` (M, C) bool; ``posterior`` (N, M) says how probable each is for a clip.
Every value is the expectation over the posterior, so a method that sees a finite test set may land a little above it.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from suite.evaluate.multilabel import mean_average_precision

CHUNK = 64  # clips whose candidate sets are weighed at a time


def marginals(posterior: np.ndarray, members: np.ndarray) -> np.ndarray:
    """(N, C) probability that each class is in the label set."""
    return np.asarray(posterior @ members.astype(np.float64))


def best_top1(posterior: np.ndarray, members: np.ndarray) -> float:
    """Expected top-1 accuracy of naming the most probable class."""
    return float(marginals(posterior, members).max(axis=1).mean())


def best_top_set(posterior: np.ndarray, members: np.ndarray) -> float:
    """Expected top-set accuracy of the best ranking: an assignment of classes to ranks, solved exactly for each clip.

    Class c at rank r earns p(m) / |S_m| for each set m that holds c and has at least r members.
    """
    size = members.sum(axis=1)
    total = 0.0
    # Ranks matter here, and not only which classes are named: a set shorter than the rank earns nothing at it.
    gains = np.stack(
        [posterior @ (members * (size >= rank)[:, None] / size[:, None]) for rank in range(1, size.max() + 1)]
    )
    for gain in gains.transpose(1, 0, 2):
        total += gain[linear_sum_assignment(gain, maximize=True)].sum()
    return float(total / len(posterior))


def best_sets(posterior: np.ndarray, members: np.ndarray, width: int = 10) -> dict[str, float]:
    """Expected IoU and F1 of the best predicted set among all subsets of each clip's ``width`` most probable classes.

    ``slack`` bounds what a class outside them could still add.
    """
    likely = marginals(posterior, members)
    width = min(width, members.shape[1])
    subsets = ((np.arange(1, 2**width)[:, None] >> np.arange(width)) & 1).astype(np.float64)
    iou, f1, slack = [], [], []
    for start in range(0, len(posterior), CHUNK):
        part = slice(start, start + CHUNK)
        order = np.argsort(-likely[part], axis=1, kind="stable")
        shared = subsets @ members.T[order[:, :width]].astype(np.float64)  # (clips, subsets, M)
        sizes = subsets.sum(axis=1)[None, :, None] + members.sum(axis=1)[None, None, :]
        weight = posterior[part, :, None]
        iou.append((shared / (sizes - shared) @ weight).max(axis=(1, 2)))
        f1.append((2 * shared / sizes @ weight).max(axis=(1, 2)))
        slack.append(np.take_along_axis(likely[part], order[:, width:], axis=1).sum(axis=1))
    return {name: float(np.concatenate(v).mean()) for name, v in (("IoU", iou), ("F1", f1), ("slack", slack))}


def expected_map(
    posterior: np.ndarray, members: np.ndarray, generator: np.random.Generator, draws: int = 40
) -> tuple[float, float]:
    """Expected mAP of ranking clips by the posterior, and its standard error: truths are drawn from the posterior."""
    likely = marginals(posterior, members)
    edges = posterior.cumsum(axis=1)
    values = []
    for _ in range(draws):
        # mAP ranks over clips, so its expectation is no sum over clips and is estimated by draws.
        sense = (generator.random(len(posterior))[:, None] > edges).sum(axis=1).clip(max=len(members) - 1)
        values.append(mean_average_precision(likely, members[sense]))
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(draws))


def ceilings(posterior: np.ndarray, members: np.ndarray, generator: np.random.Generator) -> dict[str, float]:
    """The ceiling of every recognition metric on clips with this ``posterior``."""
    sets = best_sets(posterior, members)
    precision, error = expected_map(posterior, members, generator)
    return {
        "top-set": best_top_set(posterior, members),
        "top-1": best_top1(posterior, members),
        "IoU": sets["IoU"],
        "F1": sets["F1"],
        "mAP": precision,
        "IoU slack": sets["slack"],
        "mAP standard error": error,
    }
