"""What generated actor features are made of: class directions, video offsets, noise that an actor keeps for a while.

x = sum of the directions of the actor's labels + offset of the video + nuisance + noise. An actor may be mirrored,
which turns the sign of the sum: with half of them mirrored, no linear function of x tells anything of a class. Nuisance
lies in directions that no class has. Given the label set and the side, x is Gaussian, so the probability of every label
set, and of every class, given one actor's features is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from suite.errors import UsageError

GRID = 4096.0  # features are multiples of 1/GRID: the last bits of a sum differ between machines, these do not
GROUP = 5  # classes that look alike come in groups of about this many
CHUNK = 512  # instances whose label sets are weighed at a time


@dataclass(frozen=True)
class ActorWorld:
    """``directions`` (C, D) of the classes; ``sets`` (K, C) bool, the label sets that occur, with their ``prior`` (K,);
    ``offset``, ``noise``: standard deviations per channel of the video's offset and of the noise; ``mirrored``: share
    of actors seen from the other side; ``nuisance`` (J, D): what a unit of each nuisance adds, orthogonal to classes.
    """

    directions: np.ndarray
    sets: np.ndarray
    prior: np.ndarray
    offset: float
    noise: float
    mirrored: float = 0.0
    nuisance: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def posterior(self, features: np.ndarray) -> np.ndarray:
        """(N, C) probability of each class given the features (N, D) of one actor alone."""
        means = self.sets.astype(np.float64) @ self.directions
        variance = self.offset**2 + self.noise**2
        shift = np.log(self.prior) - np.square(means).sum(axis=1) / (2 * variance)
        found = np.empty((len(features), self.sets.shape[1]))
        for start in range(0, len(features), CHUNK):
            part = slice(start, start + CHUNK)
            log = self._either_side(features[part].astype(np.float64) @ means.T / variance) + shift
            # Less the largest logarithm, which cancels in the quotient: the exponential can neither overflow nor all
            # vanish.
            weight = np.exp(log - log.max(axis=1, keepdims=True))
            found[part] = (weight / weight.sum(axis=1, keepdims=True)) @ self.sets
        return found

    def _either_side(self, log: np.ndarray) -> np.ndarray:
        """Log-likelihoods of label sets where the side is not known, from those (N, K) of the plain side."""
        # Nuisance is orthogonal to all means and cancels; the squared means are the same on both sides.
        if not self.mirrored:
            return log
        return np.logaddexp(np.log(1 - self.mirrored) + log, np.log(self.mirrored) - log)


def class_directions(classes: int, channels: int, confusability: float, generator: np.random.Generator) -> np.ndarray:
    """(C, D) unit directions; classes of one group share ``confusability`` of their squared length (0: independent)."""
    group = generator.permutation(classes) // GROUP
    shared = _unit(generator.standard_normal((classes // GROUP + 1, channels)))[group]
    own = _unit(generator.standard_normal((classes, channels)))
    return _unit(np.sqrt(confusability) * shared + np.sqrt(1 - confusability) * own)


def known_sets(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of ``labels`` (N, C) and their frequencies."""
    sets, counts = np.unique(labels, axis=0, return_counts=True)
    return sets.astype(bool), counts / counts.sum()


def actor_features(
    world: ActorWorld,
    labels: np.ndarray,
    video: np.ndarray,
    previous: np.ndarray,
    offsets: np.ndarray,
    persistence: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Features (N, D) float32 of actors.

    Args:
        labels: (N, C). video: (N,) index into ``offsets`` (V, D), unit Gaussians that are scaled to the world's offset.
        previous: (N,) row of the same actor at the key frame before, smaller than its own row, or -1.
        persistence: correlation of the noise between an actor's consecutive boxes.
    """
    # All noise is drawn first and mixed after: persistence then changes how draws are used and not which are drawn.
    noise = _carried(generator.standard_normal((len(labels), world.directions.shape[1])), previous, persistence)
    shown = labels.astype(np.float64) @ world.directions
    if world.mirrored:
        # A person is seen from one side for as long as they are there.
        shown = np.where(_carried(generator.random((len(labels), 1)), previous, 1.0) < world.mirrored, -shown, shown)
    x = shown + world.offset * offsets[video] + world.noise * noise
    if len(world.nuisance):
        units = _carried(generator.standard_normal((len(labels), len(world.nuisance))), previous, persistence)
        x = x + units @ world.nuisance
    return (np.round(x * GRID) / GRID).astype(np.float32)


def _carried(draws: np.ndarray, previous: np.ndarray, persistence: float) -> np.ndarray:
    """(N, D) independent ``draws`` made to correlate by ``persistence`` from an actor's box to the next."""
    depth = np.zeros(len(draws), dtype=np.int64)
    for row in np.flatnonzero(previous >= 0):  # rows come in time order, so the row before is known
        depth[row] = depth[previous[row]] + 1
    for level in range(1, depth.max(initial=0) + 1):
        rows = np.flatnonzero(depth == level)
        # The square root keeps the variance at one, whatever the persistence.
        draws[rows] = persistence * draws[previous[rows]] + np.sqrt(1 - persistence**2) * draws[rows]
    return draws


def nuisance_directions(
    directions: np.ndarray, count: int, strength: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """``directions`` (C, D) freed of ``count`` random orthogonal nuisances, and these (count, D), ``strength`` long.

    Raises :class:`UsageError` where nuisances leave no channel to the classes.
    """
    width = directions.shape[1]
    if count >= width:
        raise UsageError(f"{count} nuisance directions leave nothing of {width} channels to the classes; turn it down.")
    basis = np.linalg.qr(generator.standard_normal((width, count)))[0].T
    return _unit(directions - directions @ basis.T @ basis), strength * basis


def world_settings(dials: Mapping[str, Any]) -> tuple[float, float]:
    """Offset and noise per channel from the dials; ``snr`` is the distance one label moves a feature, in noises."""
    noise = 1.0 / float(dials["snr"])
    return float(dials["video_offset"]) * noise, noise


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))
