"""Which labels of a training split are lost or wrong: the draw that noise of every task shares."""

from __future__ import annotations

import numpy as np


def disturbed(count: int, drop: float, flip: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of ``count`` labels those that stay, (K,) indices in order, and (K,) bool which of these become wrong.

    ``drop`` and ``flip`` are shares of all ``count``. With one seed, what is lost or wrong at a smaller share is so at
    a larger one, too.
    """
    lost, wrong = (np.random.default_rng([seed, part]).permutation(count) for part in range(2))
    kept = np.sort(lost[round(drop * count) :])
    return kept, np.isin(kept, wrong[: round(flip * count)])
