"""Video files opened for decoding by the node's own hardware, where it has any; by software elsewhere.

A standard such as H.264 says of every picture which values it decodes to, so both ways give the same planes. Devices
only store them in another order: :func:`planar` puts them into the order of the software decoder, whose conversion to
RGB then gives the same pixels.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av
    from av.codec.hwaccel import HWAccel

KINDS = ("cuda", "videotoolbox", "vaapi", "qsv")
PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le", "nv16": "yuv422p", "nv24": "yuv444p"}


def present() -> tuple[str, ...]:
    """The kinds of hardware that decode H.264 on this node, asked once per process."""
    return tuple(_decoders())


@cache
def _decoders() -> dict[str, av.CodecContext]:
    """A decoder of H.264 per kind. Kept for the context of the device that it holds: without, each file makes one."""
    from av.codec import CodecContext
    from av.error import FFmpegError

    found: dict[str, av.CodecContext] = {}
    for kind in KINDS:
        with suppress(FFmpegError, RuntimeError):  # no such device; a kind that knows no H.264
            decoder = CodecContext.create("h264", "r", hwaccel=_accelerator(kind))
            if decoder.is_hwaccel:
                found[kind] = decoder
    return found


def open_container(path: str | Path, hardware: bool = False) -> av.container.InputContainer:
    """``path`` opened for reading, by ``hardware`` where some is present that knows the file's codec.

    Raises what ``av.open`` raises for a file that software cannot open either.
    """
    import av

    for kind in present() if hardware else ():
        with suppress(av.FFmpegError, RuntimeError):  # not for this codec, or for no decoder: software says which
            return av.open(str(path), hwaccel=_accelerator(kind))
    return av.open(str(path))


def planar(frame: av.VideoFrame) -> av.VideoFrame:
    """``frame`` with its planes as the software decoder stores them; the values stay."""
    wanted = PLANAR.get(frame.format.name)
    return frame if wanted is None else frame.reformat(format=wanted)


def _accelerator(kind: str) -> HWAccel:
    """A device of ``kind``, or an error: a file that it does not know is opened by software. CUDA's shares the context
    that torch has, in place of one of its own per file."""
    from av.codec.hwaccel import HWAccel

    shared: dict[str, object] = {"primary_ctx": "1"} if kind == "cuda" else {}
    return HWAccel(kind, allow_software_fallback=False, options=shared)
