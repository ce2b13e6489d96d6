"""Features of clips in the world of planted-verbs, with a background that clips of one source video share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from suite.data import find_card
from suite.data.planted.bayes import marginals
from suite.data.planted.verbs import VerbWorld, label_means
from suite.rehearsal.posterior import by_half
from suite.rehearsal.request import Request

BLOCK = 2048  # clips at a time
GRID = 4096.0  # features are multiples of 1/GRID: the last bits of a sum differ between machines, these do not


@dataclass(frozen=True)
class ClipList:
    """N clips: ``names`` (N,), ``ids`` (N,) int, ``sense`` and ``label`` (N,) int, ``source`` (N,) their videos."""

    names: np.ndarray
    ids: np.ndarray
    sense: np.ndarray
    label: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


def world_dials(asked: Request, senses: int, verbs: int, width: int, **more: Any) -> Mapping[str, Any]:
    """The dials that :func:`suite.data.planted.verbs.draw_world` takes."""
    fixed = {"senses": senses, "verbs": verbs, "channels": width, "tail": 0.0, "overlap": 0.5, "agreement": 2.0}
    usual = find_card("planted-verbs").resolve_dials({})  # what a rehearsal does not turn is as in the planted world
    return {**usual, "ambiguity": 1.0, **fixed, **asked.dials, **more}


def draw_features(
    asked: Request, world: VerbWorld, clips: ClipList, pull: float, stream: int, done: Callable[[int], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, D) float32 of ``clips`` and the posterior (N, C) of their classes before any pull.

    A clip's noise has unit variance per channel, of which the dial ``background`` says how much its source shares;
    given the sense it is Gaussian, so that the posterior is exact. ``pull`` moves features toward their label's mean,
    as a backbone that was trained on the labels does. ``done`` gets the bytes of each block.
    """
    width = len(world.scale)
    features = np.empty((len(clips), width), dtype=np.float32)
    known = np.empty((len(clips), world.members.shape[1]), dtype=np.float32)
    means, share = label_means(world), by_half(float(asked.dials["background"]), width)
    for start in range(0, len(clips), BLOCK):
        part = slice(start, start + BLOCK)
        fresh = _normals(asked, clips.names[part], width, stream, 1)
        kept = _normals(asked, clips.source[part], width, stream, 2)
        noise = share["fresh"] * fresh + share["kept"] * kept
        rows = (world.means[clips.sense[part]] + noise) * world.scale
        known[part] = marginals(world.posterior(rows), world.members)
        rows += pull * (means[clips.label[part]] - rows)
        features[part] = np.round(rows * GRID) / GRID
        done(features[part].nbytes)
    return features, known


def _normals(asked: Request, names: np.ndarray, width: int, stream: int, purpose: int) -> np.ndarray:
    """(n, D) a draw for each name: which others are drawn changes none."""
    drawn: dict[str, np.ndarray] = {}
    for name in names.tolist():
        if name not in drawn:
            drawn[name] = asked.generator(6, stream, purpose, crc32(name.encode())).standard_normal(width)
    return np.stack([drawn[name] for name in names.tolist()])
