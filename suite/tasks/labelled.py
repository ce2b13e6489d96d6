"""Which samples keep their labels in a semi-supervised split: by ratio and seed."""

from __future__ import annotations

import numpy as np

from suite.errors import UsageError


def choose_labelled(classes: np.ndarray, ratio: float, seed: int, stratified: bool = False) -> np.ndarray:
    """Draw the labelled samples: (N, C) bool class presence -> (N,) bool.

    Uniform: round(ratio * N) samples (halves up), at least one. Stratified: the samples are grouped by their first
    class and every group gives its share, at least one; samples without a class form a group of their own.

    Raises:
        UsageError: a ratio outside (0, 1].
    """
    if not 0 < ratio <= 1:
        raise UsageError(f"labelled={ratio:g} is no share of the training set: use a value above 0, up to 1.")
    count = len(classes)
    generator = np.random.default_rng([seed, count])
    labelled = np.zeros(count, dtype=bool)
    if not stratified:
        labelled[generator.permutation(count)[: _share(ratio, count)]] = True
        return labelled
    first = np.where(classes.any(1), classes.argmax(1), -1)
    for group in np.unique(first):
        rows = np.flatnonzero(first == group)
        labelled[generator.permutation(rows)[: _share(ratio, len(rows))]] = True
    return labelled


def _share(ratio: float, count: int) -> int:
    return max(1, int(np.floor(ratio * count + 0.5)))


def missing_classes(classes: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Class indices that occur in the training set but in no labelled sample: the class-coverage check."""
    return np.flatnonzero(classes.any(0) & ~classes[labelled].any(0))
