"""Clips from video files (PyAV) and from frame folders (Pillow), around key frames, and video files from arrays.

Frames are uint8 arrays (T, H, W, 3), RGB. Times are seconds from a file's first frame. A grid of ``fps`` frames a
second is laid over every video, whatever its own rate: frame i of the grid is the picture shown at i / fps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from suite.data.hardware import open_container, planar
from suite.errors import DataError

if TYPE_CHECKING:
    import av

LEAD = 1.0  # seconds before the earliest picture that are decoded whole
FPS = 30  # the rate AVA's frame lists, UCF101-24 and the published networks are made for


def clip_indices(centre: int, frames: int = 32, rate: int = 2, last: int | None = None) -> np.ndarray:
    """The ``frames`` grid indices of the clip around key frame ``centre``: c - fr/2 ... c + fr/2, every ``rate``-th.

    The key frame is element ``frames // 2``. Indices before the first frame and after ``last`` repeat the border frame.
    """
    half = frames * rate // 2
    return np.clip(np.arange(centre - half, centre - half + frames * rate, rate), 0, last)


def key_frame(second: float, start: float = 0.0, fps: int = FPS) -> int:
    """Grid index of the frame at ``second`` of a video whose grid begins at ``start`` seconds."""
    return round((second - start) * fps)


def short_side_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """Height and width with the shorter one scaled to ``short_side`` (None: as it is), ratio kept, rounded down."""
    if short_side is None or min(height, width) == short_side:
        return height, width
    if height <= width:
        return short_side, int(width / height * short_side)
    return int(height / width * short_side), short_side


def read_video(
    path: str | Path,
    times: Sequence[float],
    short_side: int | None = None,
    needed: float = 0.0,
    hardware: bool = False,
) -> np.ndarray:
    """The pictures shown at ``times`` (any order, repeats allowed), (len(times), H, W, 3).

    Seeks to the last intra-coded frame before the earliest time and decodes from there once, without the pictures on
    the way that no other is decoded from. Times after the last picture give the last picture, as long as the one at
    ``needed`` is there. With ``hardware`` a device of this node decodes, where there is one that can.

    Raises :class:`DataError` when the file is missing, holds no video, cannot be decoded or ends before ``needed``.
    """
    import av

    wanted = np.asarray(times, dtype=np.float64)
    order = np.argsort(wanted, kind="stable")
    try:
        try:
            found = _read(path, wanted[order], short_side, needed, wanted.min() - LEAD, hardware)
        except _TooFewError:
            found = _read(path, wanted[order], short_side, needed, -np.inf, hardware)
        pictures = np.stack(found)
    except (av.FFmpegError, ValueError):  # damaged packets, headers that lie, a size that changes on the way
        if hardware:  # or what the device does not know: software is asked before the file is blamed
            return read_video(path, times, short_side, needed)
        raise DataError(f"{path} cannot be decoded at about {wanted.min():.2f} s; get the file anew.") from None
    return np.asarray(pictures[np.argsort(order, kind="stable")])


def frame_rate(path: str | Path) -> float:
    """Frames per second of a video file."""
    with _open(path) as container:
        return float(container.streams.video[0].average_rate or FPS)


def image_name(folder: str | Path, pattern: str, number: int) -> str:
    """The name of image ``number`` by a pattern such as ``{index:05d}.jpg`` or ``{name}_{index:06d}.jpg``."""
    return pattern.format(index=number, name=Path(folder).name)


def read_frame_folder(
    folder: str | Path, indices: Sequence[int], pattern: str, first: int = 1, short_side: int | None = None
) -> np.ndarray:
    """Frames ``indices`` (0 the first) of a folder of images named by ``pattern`` (:func:`image_name`).

    Raises :class:`DataError` when a file is missing or is not an image, or when sizes differ.
    """
    from PIL import Image, UnidentifiedImageError

    pictures: dict[int, np.ndarray] = {}
    for index in sorted(set(map(int, indices))):
        path = Path(folder) / image_name(folder, pattern, index + first)
        try:
            with Image.open(path) as image:
                height, width = short_side_size(image.height, image.width, short_side)
                pictures[index] = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
        except FileNotFoundError:
            raise DataError(f"{path} is missing; extract the video's frames again.") from None
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError):
            raise DataError(f"{path} is not a readable image; extract the video's frames again.") from None
    if len({picture.shape for picture in pictures.values()}) > 1:
        raise DataError(f"{folder} holds images of several sizes; extract the video's frames again.")
    return np.stack([pictures[int(index)] for index in indices])


def write_video(path: str | Path, frames: np.ndarray, fps: int = FPS, codec: str = "libx264") -> None:
    """Encode ``frames`` (T, H, W, 3) uint8, H and W even, as H.264 (``libx264``) or MPEG-4 (``mpeg4``).

    One thread and fixed settings: the same frames give the same file with the same libraries.
    """
    import av

    options = {"crf": "18", "preset": "ultrafast"} if codec == "libx264" else {}
    with av.open(str(path), "w") as container:
        stream = cast("av.VideoStream", container.add_stream(codec, rate=Fraction(fps), options=options))
        stream.height, stream.width = frames.shape[1:3]
        stream.bit_rate = 16 * stream.height * stream.width  # MPEG-4 only: about half a bit a pixel; H.264 goes by crf
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())


@dataclass(frozen=True)
class ClipSource:
    """Where the pixels of a split's clips are: ``frames`` of :class:`suite.tasks.actors.samples.Actors`.

    ``files`` (M,) video file, or frame folder, of each clip; ``centres`` (M,) grid index of its key frame. ``frames``
    and ``rate`` say how a clip is sampled, ``fps`` the grid's rate (0: the file's own frames), ``pattern`` names the
    images of a frame folder (empty: video files). With ``hardware`` a device decodes video files, where one can.
    """

    files: np.ndarray
    centres: np.ndarray
    frames: int = 32
    rate: int = 2
    fps: int = FPS
    short_side: int | None = 256
    pattern: str = ""
    hardware: bool = False

    def __len__(self) -> int:
        return len(self.files)

    def clip(self, index: int) -> np.ndarray:
        """Clip ``index``, (frames, H, W, 3) uint8; raises :class:`DataError` when its key frame cannot be had."""
        path, centre = Path(str(self.files[index])), int(self.centres[index])
        if self.pattern:
            last = self._last_image(path, centre)
            chosen = clip_indices(centre, self.frames, self.rate, last).tolist()
            return read_frame_folder(path, chosen, self.pattern, short_side=self.short_side)
        fps = self.fps or frame_rate(path)
        times = clip_indices(centre, self.frames, self.rate) / fps
        return read_video(path, times.tolist(), self.short_side, centre / fps, self.hardware)

    def neighbours(self, indices: Sequence[int]) -> list[list[int]]:
        """``indices`` in their order, in runs of which each is decoded at once: the next clips of the same video."""
        reach, runs = self.frames * self.rate, [[int(index)] for index in indices[:1]]
        for before, index in pairwise(map(int, indices)):
            near = 0 <= int(self.centres[index]) - int(self.centres[before]) <= reach
            if near and str(self.files[index]) == str(self.files[before]):
                runs[-1].append(index)
            else:
                runs.append([index])
        return runs

    def together(self, run: Sequence[int]) -> list[np.ndarray]:
        """The clips of one of the runs of :meth:`neighbours`, each as :meth:`clip` gives it; raises what that does."""
        if len(run) == 1:
            return [self.clip(run[0])]
        path, centres = Path(str(self.files[run[0]])), self.centres[np.asarray(run)]
        last = [self._last_image(path, int(centre)) if self.pattern else None for centre in centres]
        chosen = np.stack(
            [clip_indices(int(centre), self.frames, self.rate, end) for centre, end in zip(centres, last, strict=True)]
        )
        distinct, place = np.unique(chosen, return_inverse=True)
        if self.pattern:
            pictures = read_frame_folder(path, distinct.tolist(), self.pattern, short_side=self.short_side)
        else:
            fps = self.fps or frame_rate(path)
            latest = float(centres.max()) / fps
            pictures = read_video(path, (distinct / fps).tolist(), self.short_side, latest, self.hardware)
        return [pictures[own] for own in place.reshape(chosen.shape)]

    def take(self, index: np.ndarray) -> ClipSource:
        """The clips at ``index``."""
        return replace(self, files=self.files[index], centres=self.centres[index])

    def on_hardware(self) -> ClipSource:
        """The same clips, decoded by this node's hardware where it has any."""
        return replace(self, hardware=True)

    def _last_image(self, folder: Path, centre: int) -> int:
        """Index of the folder's last image within the clip's reach."""
        for index in range(centre + self.frames * self.rate // 2, centre - 1, -1):
            if index >= 0 and (folder / image_name(folder, self.pattern, index + 1)).exists():
                return index
        name = image_name(folder, self.pattern, centre + 1)
        raise DataError(f"{folder} has no image {name} for a key frame; extract the video's frames again.")


def _open(path: str | Path, hardware: bool = False) -> av.container.InputContainer:
    import av

    try:
        container = open_container(path, hardware)
    except FileNotFoundError:
        raise DataError(f"{path} is missing; put the video there or leave its clips out.") from None
    except (av.FFmpegError, OSError, ValueError):  # ValueError: names in its header that are no text
        raise DataError(f"{path} is not a video that can be opened; get the file anew.") from None
    if not container.streams.video:
        container.close()
        raise DataError(f"{path} holds no video stream; get the file anew.")
    return container


class _TooFewError(Exception):
    """A picture was passed over that may be the one that is shown."""


def _read(
    path: str | Path, times: np.ndarray, short_side: int | None, needed: float, before: float, hardware: bool
) -> list[np.ndarray]:
    """The pictures at ascending ``times``; of those before ``before`` seconds only some are decoded."""
    with _open(path, hardware) as container:
        return list(_shown_at(container, times, short_side, path, needed, before))


def _shown_at(
    container: av.container.InputContainer,
    times: np.ndarray,
    short_side: int | None,
    path: str | Path,
    needed: float,
    before: float,
) -> Iterator[np.ndarray]:
    """For ascending ``times`` the picture shown at each; the last one for times after it.

    Raises :class:`_TooFewError` where the first of them would lie before ``before``.
    """
    current: av.VideoFrame | None = None
    picture: np.ndarray | None = None
    end, done = 0.0, 0
    for frame, begin, slack in _decoded(container, float(times[0]), before):
        while done < len(times) and current is not None and frame.time - begin > times[done] + slack:
            if done == 0 and current.time - begin < before:
                raise _TooFewError
            picture = _pixels(current, short_side) if picture is None else picture
            yield picture
            done += 1
        if done == len(times):
            return
        current, picture, end = frame, None, frame.time - begin + 2 * slack
    if before > -np.inf and (current is None or current.time - begin < before):
        raise _TooFewError
    if current is None or needed >= end:
        raise DataError(f"{path} ends at {end:.2f} s, before its key frame at {needed:.2f} s; get the file anew.")
    last = _pixels(current, short_side)
    for _ in range(len(times) - done):
        yield last


def _decoded(
    container: av.container.InputContainer, earliest: float, before: float
) -> Iterator[tuple[av.VideoFrame, float, float]]:
    """Frames from the last seek point before ``earliest`` on, with the stream's begin and half a frame's length.

    Before the second ``before`` frames are left out from which no other is decoded. One thread decodes: clips are
    decoded side by side already.
    """
    stream = container.streams.video[0]
    unit = stream.time_base or Fraction(1, 1000)
    begin = float((stream.start_time or 0) * unit)
    slack = 0.5 / float(stream.average_rate or FPS)
    if earliest > 0:
        container.seek(int((earliest + begin - slack) / unit), stream=stream, backward=True)
    context = stream.codec_context
    if context is None:
        raise ValueError("no decoder knows this stream")
    context.thread_count = 1
    for packet in container.demux(stream):
        early = packet.pts is not None and float(packet.pts * unit) - begin < before
        context.skip_frame = "NONREF" if early else "DEFAULT"
        for frame in packet.decode():
            if frame.time is not None:
                yield frame, begin, slack


def _pixels(frame: av.VideoFrame, short_side: int | None) -> np.ndarray:
    height, width = short_side_size(frame.height, frame.width, short_side)
    return np.asarray(planar(frame).to_ndarray(format="rgb24", width=width, height=height, interpolation="BILINEAR"))
