"""Packs of untrimmed videos: snippet features of a world in which the posterior of every snippet is known.

The world is that of planted-videos (:mod:`suite.data.planted.videos`): class directions inside instances and in scenes
without action, one direction that all actions share, ramps, AR(1) noise of unit variance. Of the noise a part is the
video's own background, constant over its snippets and stronger in RGB than in flow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from zlib import crc32

import numpy as np

from suite.data import find_card
from suite.data.known import posterior_path
from suite.data.planted.snippet_states import Looks, Snippets, StateLaw, VideoWorld
from suite.data.planted.timelines import with_scenes
from suite.data.planted.videos import FLOW_SHARE, ar_noise
from suite.data.readers import activitynet
from suite.errors import UsageError
from suite.rehearsal.posterior import PosteriorFile, by_half
from suite.rehearsal.request import Request, Step, at_hand
from suite.rehearsal.timelines import TEST, Annotations, Video, annotated_videos

PUBLISHED, SMALL = 2048, 64
CELLS, CELL_CHANNELS = 100, 400  # of csv_mean_100
CELL_BYTES = 9  # characters of a value in a CSV file
GRID = 4096.0  # features are multiples of 1/GRID: the last bits of a sum differ between machines, these do not
CONFIDENCE = 4.0  # class scores: logits of a video's classes stand this many deviations above the others


@dataclass(frozen=True)
class Localization:
    """A pack of untrimmed videos, ``cells``: as 100 cells a video in CSV files, else as snippets in ``.npy``."""

    asked: Request
    listed: Annotations
    width: int
    cells: bool

    @property
    def size(self) -> int:
        """About how many bytes the files take."""
        value = CELL_BYTES if self.cells else 4 * self.every
        return sum(self.length(video) for video in self.listed.videos) * (self.width * value + 8)

    @property
    def packed(self) -> int:
        """Bytes of what training maps from disk: the snippets that the card's reader uses."""
        return sum(self.length(video) for video in self.listed.videos) * self.width * 4

    @property
    def every(self) -> int:
        """Rows of a file from one that the card's reader uses to the next: so often each snippet stands there."""
        return int(self.asked.card.options.get("every", 1))

    @property
    def holds(self) -> str:
        """Videos, channels, and whose annotations."""
        form = f"{CELLS} cells each" if self.cells else "snippets"
        return f"{len(self.listed.videos)} videos, {form}, {self.width} channels, {self.listed.origin} annotations"

    @cached_property
    def world(self) -> VideoWorld:
        """The dials of the planted world."""
        usual = find_card("planted-videos").resolve_dials(
            {}
        )  # what a rehearsal does not turn is as in the planted world
        return VideoWorld({**usual, "world_seed": self.asked.seed, "channels": self.width, **self.asked.dials})

    def step(self, video: Video) -> float:
        """Seconds between snippets."""
        return video.covered / CELLS if self.cells else float(self.asked.card.layout.stride or 16) / video.fps

    def overlap(self, video: Video) -> float:
        """Seconds by which the first snippet's middle lies behind the middle of its stride."""
        layout = self.asked.card.layout
        return 0.0 if self.cells else ((layout.window or 16) - (layout.stride or 16)) / 2 / video.fps

    def length(self, video: Video) -> int:
        """Snippets of a video: as many whole windows as fit."""
        if self.cells:
            return CELLS
        layout, frames = self.asked.card.layout, int(video.seconds * video.fps)
        return max(1, int((frames - (layout.window or 16)) // (layout.stride or 16)) + 1)

    def snippets(self, video: Video) -> Snippets:
        """The hidden states; the middle of snippet t is at (t + 1/2) steps after half of what windows overlap."""
        generator, world = self.asked.generator(2, crc32(video.name.encode())), self.world
        timeline = with_scenes(generator, video.name, video.instances, world.context, world.hard_instances)
        back, step = self.overlap(video), self.step(video)
        moved = {name: getattr(timeline, name) - back for name in ("start", "end", "scene_start", "scene_end")}
        ramp = np.full(len(timeline.start), float(world.boundary_width))
        # Half a step more than the snippets take: rounding must not lose the last of them.
        return Snippets.of(
            replace(timeline, ramp=ramp, duration=(self.length(video) + 0.5) * step, **moved), step, world
        )

    def directions(self) -> Looks:
        """Class directions (C, D) and the actionness direction (D,), by name; as in planted-videos."""
        names = [*(crc32(name.encode()) for name in self.listed.classes), 0]
        signs = np.stack([self.asked.generator(3, name).integers(0, 2, self.width) * 2.0 - 1.0 for name in names])
        flow = np.arange(self.width) >= self.width // 2
        scale = np.where(flow, np.sqrt(2 * FLOW_SHARE), np.sqrt(2 * (1 - FLOW_SHARE)))
        return Looks(signs[:-1] / np.sqrt(self.width), signs[-1] * scale / np.sqrt(self.width))

    def write(self, folder: Path, step: Step) -> None:
        """Annotations, features, class scores and the posterior."""
        for name, content in self.listed.files.items():
            (folder / name).write_bytes(content)
        place = folder / (activitynet.CELLS if self.cells else "features")
        place.mkdir()
        states = [self.snippets(video) for video in self.listed.videos]
        law = StateLaw.counted(states, self.directions(), self.world)
        with PosteriorFile(posterior_path(folder)) as known:
            for video, found in zip(self.listed.videos, states, strict=True):
                features = self.features(video, found, law)
                known.add_video(video.name, law.posterior(features.astype(np.float64), found.video_classes))
                step(self._write(place, video.name, features))
        self._class_scores(folder)

    def features(self, video: Video, states: Snippets, law: StateLaw) -> np.ndarray:
        """(L, D) float32 features of a video."""
        generator = self.asked.generator(4, crc32(video.name.encode()))
        share = by_half(float(self.asked.dials["background"]), self.width)
        background = generator.standard_normal(self.width)
        noise = ar_noise(generator, len(states.hard), self.width, float(self.asked.dials["noise_correlation"]))
        noise *= share["fresh"]
        noise += share["kept"] * background
        noise += law.mean[law.rows(states)]
        return (np.round(noise * GRID) / GRID).astype(np.float32)

    def _write(self, place: Path, name: str, features: np.ndarray) -> int:
        if not self.cells:
            np.save(place / f"{name}.npy", np.repeat(features, self.every, axis=0), allow_pickle=False)
            return features.nbytes * self.every
        path, half = place / f"{name}.csv", self.width // 2
        header = ",".join([*(f"r{i}" for i in range(half)), *(f"f{i}" for i in range(half))])
        np.savetxt(path, features, fmt="%.4f", delimiter=",", header=header, comments="")
        return path.stat().st_size

    def _class_scores(self, folder: Path) -> None:
        """Scores as another network gives them for test videos: the real ones where they are there."""
        card, classes = self.asked.card, list(self.listed.classes)
        name = activitynet.CLASS_SCORES if card.reader == "activitynet" else str(card.options.get("class_scores", ""))
        if not name:
            return
        real = at_hand(self.asked, name)
        if real is not None and self.listed.origin != "generated":
            (folder / name).write_bytes(real.read_bytes())
            return
        scores = {video.name: self._scores(video) for video in self.listed.videos if video.part == TEST}
        if name.endswith(".json"):
            rows = {video.removeprefix("v_"): row.tolist() for video, row in scores.items()}
            (folder / name).write_text(json.dumps({"class": classes, "results": rows}), encoding="utf-8")
        else:
            columns = [card.options["class_columns"][one] for one in classes]
            np.save(folder / name, _by_number(scores, columns), allow_pickle=False)

    def _scores(self, video: Video) -> np.ndarray:
        """(C,) probabilities that favour the classes of a video."""
        logits = self.asked.generator(5, crc32(video.name.encode())).standard_normal(len(self.listed.classes))
        logits = logits + CONFIDENCE * video.instances[3].any(axis=0)
        weight = np.exp(logits - logits.max())
        return np.asarray(np.round(weight / weight.sum(), 6))


def _by_number(scores: Mapping[str, np.ndarray], columns: list[int]) -> np.ndarray:
    """A row per test video by its number, in the columns of 101 classes, as UntrimmedNet's file has them."""
    numbers = {name: int(name.rpartition("_")[2]) for name in scores}
    table = np.zeros((max(numbers.values()), 101), dtype=np.float32)
    for name, row in scores.items():
        table[numbers[name] - 1, columns] = row
    return table


def localization(asked: Request) -> Localization:
    """The pack of an I3D or ActivityNet card.

    ActivityNet-1.3 comes as cells where its card says so, and where it takes either unless the width of snippets is
    asked for. Raises :class:`UsageError` for snippets of a width whose frame rate the card does not state.
    """
    card = asked.card
    rates = {str(width): float(rate) for width, rate in card.options.get("feature_rates", {}).items()}
    form = card.options.get("features", "" if card.reader == "activitynet" else "snippets")
    cells = form == "cells" or (not form and str(asked.channels) not in rates)
    only = len(rates) == 1 and not cells  # one pack, of one width: nothing states how fast another one runs
    width = asked.width(CELL_CHANNELS if cells else PUBLISHED, int(next(iter(rates))) if only else SMALL)
    listed = annotated_videos(asked)
    if rates and not cells:  # packs resample before they extract
        if str(width) not in rates:
            raise UsageError(f"{card.name} has no features {width} wide; give --channels {' or '.join(rates)}.")
        listed = replace(listed, videos=tuple(replace(video, fps=rates[str(width)]) for video in listed.videos))
    return Localization(asked, listed, width, cells)
