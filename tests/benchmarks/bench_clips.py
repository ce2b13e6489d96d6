"""Clips decoded a second on one thread: a split in order, neighbours together, beside clip by clip.

``python -m tests.benchmarks clips``: 32 pictures of 64 around each second of a video of 340 x 256 with a seek point
every 250 pictures, as AVA's are, and around every eighth picture of a folder of frames of 320 x 240, as UCF101-24's
are. Both ways give the same pixels; the ceiling is decoding the file once from its start.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import numpy as np

from suite.data.video import ClipSource
from tests.benchmarks.rows import Row, least, record
from tests.data.films import write_film

SECONDS, HEIGHT, WIDTH = 24, 256, 340


def write(path: Path) -> None:
    """A picture that moves, in H.264 with pictures from which no other is decoded."""
    generator = np.random.default_rng(0)
    blocks = generator.integers(0, 255, (80, 80, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    places = ((moment // 4, moment // 3) for moment in range(30 * SECONDS))
    write_film(path, (blocks[top : top + HEIGHT, left : left + WIDTH] for top, left in places), crf="23", g="250")


def decoded_once(path: Path) -> None:
    """Every picture, none of them converted."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for _ in container.decode(video=0):
            pass


def images(folder: Path, count: int) -> None:
    """Frames of noise and blocks, as JPEG."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for number in range(1, count + 1):
        picture = generator.integers(0, 255, (12, 16, 3)).repeat(20, axis=0).repeat(20, axis=1)
        noisy = picture + generator.normal(0, 8, picture.shape)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(folder / f"{number:05d}.jpg", quality=85)


def read_once(folder: Path) -> None:
    """Every image, none of them scaled."""
    from PIL import Image

    for path in folder.glob("*.jpg"):
        with Image.open(path) as image:
            image.load()


def both(source: ClipSource) -> tuple[float, float]:
    """Seconds for a clip, each by itself and eight that follow each other together."""
    count = len(source)
    groups = [run for first in range(0, count, 8) for run in source.neighbours(range(first, min(first + 8, count)))]
    alone = least(lambda: [source.clip(index) for index in range(count)], 1) / count
    return alone, least(lambda: [source.together(run) for run in groups], 1) / count


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        write(path)
        count = SECONDS - 4
        alone, together = both(ClipSource(np.array([str(path)] * count), 30 * np.arange(2, 2 + count)))
        bound = least(lambda: decoded_once(path), 1) / SECONDS
        what, against, name = "a clip of a split in order", "clip by clip", "decoding each picture once"
        record(Row("clips", what, against, alone / together, together, bound / together, bound=name))
        record(Row("clips", "a clip of its own", "", None, alone, bound / alone, bound=name))
        images(Path(folder), 40 + 8 * count)
        centres, pattern = 8 * np.arange(4, 4 + count), "{index:05d}.jpg"
        alone, together = both(ClipSource(np.array([folder] * count), centres, fps=0, pattern=pattern))
        bound = least(lambda: read_once(Path(folder)), 1) / count
        what = "a clip of a folder of frames, in order"
        record(Row("clips", what, against, alone / together, together, bound / together, bound=name))


if __name__ == "__main__":
    main()
