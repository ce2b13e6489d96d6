"""Clips decoded a second on one thread: a split in order, neighbours together, beside clip by clip.

``python -m tests.benchmarks clips``: 32 pictures of 64 around each second of a video of 340 x 256 with a seek point
every 250 pictures, as AVA's are. Both ways give the same pixels; the ceiling is decoding the file once from its start.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from suite.data.video import ClipSource
from tests.benchmarks.rows import Row, least, record

SECONDS, HEIGHT, WIDTH = 24, 256, 340


def write(path: Path) -> None:
    """A picture that moves, in H.264 with pictures from which no other is decoded."""
    generator = np.random.default_rng(0)
    blocks = generator.integers(0, 255, (80, 80, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"crf": "23", "g": "250"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for moment in range(30 * SECONDS):
            top, left = moment // 4, moment // 3
            picture = np.ascontiguousarray(blocks[top : top + HEIGHT, left : left + WIDTH])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def decoded_once(path: Path) -> None:
    """Every picture, none of them converted."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for _ in container.decode(video=0):
            pass


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        write(path)
        count = SECONDS - 4
        source = ClipSource(np.array([str(path)] * count), 30 * np.arange(2, 2 + count))
        groups = [run for first in range(0, count, 8) for run in source.neighbours(range(first, min(first + 8, count)))]
        alone = least(lambda: [source.clip(index) for index in range(count)], 1) / count
        together = least(lambda: [source.together(run) for run in groups], 1) / count
        bound = least(lambda: decoded_once(path), 1) / SECONDS
        record(Row("clips", "a clip of a split in order", "clip by clip", alone / together, together, bound / together))
        record(Row("clips", "a clip of its own", "", None, alone, bound / alone))


if __name__ == "__main__":
    main()
