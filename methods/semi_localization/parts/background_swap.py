"""Background augmentation: an unlabelled video's actions in front of another video's background (NPL, §4.2).

The paper applies it to a tenth of the unlabelled videos and says no more; this is our construction.
"""

from __future__ import annotations

import numpy as np

from methods.networks.actionformer.preparation import Sample


def background_mask(length: int, segments: np.ndarray, margin: float) -> np.ndarray:
    """(L,) bool: cells farther than ``margin`` cells from every segment (N, 2)."""
    cell = np.arange(length)
    near = (cell[:, None] >= segments[:, 0] - margin) & (cell[:, None] <= segments[:, 1] + margin)
    return np.logical_not(near.any(axis=1))


def swap_background(sample: Sample, donor: Sample, margin: float, generator: np.random.Generator) -> Sample:
    """``sample`` whose background cells hold the background of ``donor``, in the donor's order from a random cell on.

    A donor without background leaves the sample as it is.
    """
    own = np.flatnonzero(background_mask(len(sample.features), sample.segments, margin))
    theirs = np.flatnonzero(background_mask(len(donor.features), donor.segments, margin))
    if len(own) == 0 or len(theirs) == 0:
        return sample
    first = int(generator.integers(len(theirs)))
    features = np.array(sample.features)
    features[own] = donor.features[theirs[(first + np.arange(len(own))) % len(theirs)]]
    return sample._replace(features=features)
