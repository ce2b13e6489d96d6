"""Small pictures of people: in each person's box a pattern of coloured tiles that its labels add up to.

Every class has a pattern of its own. Those of odd number change in time, so that a single frame shows them only partly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from suite.data.video import FPS, image_name
from suite.rehearsal.request import Request

TILES = 6  # of a pattern, in each direction
SWINGS = (2.0, 6.0)  # per second, of patterns that change in time
QUALITY = 85
BYTE_DEVIATION = (65535 / 12) ** 0.5  # of a random byte: noise is uniform, ten times faster drawn than Gaussian
BYTES_A_PIXEL = 0.35  # of a JPEG file, measured


@dataclass(frozen=True)
class Scene:
    """Who is in the picture: ``box`` (n, 4) x1 y1 x2 y2 in [0, 1] and ``labels`` (n, C) bool."""

    box: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Camera:
    """Pictures of ``height`` × ``width`` of a world with ``classes``."""

    asked: Request
    height: int
    width: int
    classes: int

    def patterns(self) -> tuple[np.ndarray, np.ndarray]:
        """(C, TILES, TILES, 3) signs of each class, and (C,) swings per second, 0 where it does not change."""
        generator = self.asked.generator(10)
        signs = generator.integers(0, 2, (self.classes, TILES, TILES, 3)) * 2.0 - 1.0
        swings = generator.uniform(*SWINGS, self.classes)
        return signs, np.where(np.arange(self.classes) % 2, swings, 0.0)

    def size(self, frames: int) -> int:
        """About how many bytes so many frames take."""
        return int(frames * (self.height * self.width * BYTES_A_PIXEL + 700))

    def film(self, folder: Path, naming: str, stream: int, frames: Iterable[tuple[int, Scene]]) -> int:
        """Write each frame (number from 0) as image ``naming``, numbered from 1; returns the bytes written."""
        from PIL import Image

        folder.mkdir(parents=True, exist_ok=True)
        signs, swings = self.patterns()
        place = self.asked.generator(11, stream)
        backdrop = _spread(place.uniform(0.2, 0.8, (TILES, TILES, 3)), self.height, self.width)
        picture, noise = (
            np.empty(backdrop.shape, dtype=np.float32) for _ in range(2)
        )  # each frame in the memory of the last one
        written, deviation = 0, float(self.asked.dials["noise"])
        for number, scene in frames:
            np.copyto(picture, backdrop)
            phase = np.cos(2 * np.pi * swings * number / FPS)
            for box, labels in zip(scene.box, scene.labels, strict=True):
                shown = np.flatnonzero(labels)
                tiles = (signs[shown] * phase[shown, None, None, None]).sum(axis=0) / np.sqrt(max(1, len(shown)))
                self._paint(picture, box, 0.5 + float(self.asked.dials["contrast"]) * tiles)
            draws = np.frombuffer(self.asked.generator(12, stream, number).bytes(noise.size), dtype=np.uint8)
            np.multiply(draws.reshape(noise.shape), deviation / BYTE_DEVIATION, out=noise, dtype=np.float32)
            picture += noise
            picture -= 127.5 * deviation / BYTE_DEVIATION
            np.clip(picture, 0, 1, out=picture)
            picture *= 255
            picture += 0.5
            path = folder / image_name(folder, naming, number + 1)
            Image.fromarray(picture.astype(np.uint8)).save(path, quality=QUALITY)
            written += path.stat().st_size
        return written

    def _paint(self, picture: np.ndarray, box: np.ndarray, tiles: np.ndarray) -> None:
        left, right = (round(float(x) * self.width) for x in box[[0, 2]])
        top, bottom = (round(float(y) * self.height) for y in box[[1, 3]])
        if right > left and bottom > top:
            picture[top:bottom, left:right] = _spread(tiles, bottom - top, right - left)


def _spread(tiles: np.ndarray, height: int, width: int) -> np.ndarray:
    """Tiles as a picture (height, width, 3)."""
    rows, columns = (np.arange(side) * TILES // side for side in (height, width))
    return np.ascontiguousarray(tiles[rows][:, columns], dtype=np.float32)
