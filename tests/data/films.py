"""H.264 files as they are published: pictures predicted from others, seek points far apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np


def write_film(path: Path, pictures: Iterable[np.ndarray], moments: Sequence[int] = (), **options: str) -> None:
    """``pictures`` (H, W, 3) uint8 at 30 a second, or shown from ``moments`` (thirtieths); ``options`` are x264's."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=30, options=options)
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = moments[number] if moments else number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
