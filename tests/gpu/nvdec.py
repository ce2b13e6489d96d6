"""Video decoded by a simulated NVDEC: ``python -m tests.gpu.nvdec`` prints what it showed as JSON.

PyAV's FFmpeg loads the driver and the decoder of a device by their names. Here these names lead to nvdec.c, so that all
of FFmpeg's own way to a device runs: what it asks, sends, maps, copies and crops. Speed is not to be seen.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.hwaccel import hwdevices_available

from methods.actor_detection.supervised import Supervised
from suite.data.hardware import open_container, present
from suite.data.video import ClipSource, read_video, write_video
from tests.data.films import write_film
from tests.methods.actor_detection.worlds import CLIP, TINY, clip_world, headline, training

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_suffix(".c")
FFMPEG = Path(av.__file__).parents[1] / "av.libs"  # of PyAV's wheel for Linux
NAMES = ("libcuda.so.1", "libnvcuvid.so.1")
SIZES = ((48, 64), (44, 70), (112, 150))  # whole blocks, and cropped at both sides
FRAMES = 60


def possible() -> bool:
    """Whether the device can be built here, and PyAV's own FFmpeg looks for one."""
    return bool(shutil.which("cc")) and FFMPEG.is_dir() and "cuda" in hwdevices_available()


def build(folder: Path) -> None:
    """The simulated device in ``folder``, under both names."""
    source, wanted = SOURCE.read_text(), set()
    for library in FFMPEG.glob("libav[cu]*"):
        wanted |= {name.decode() for name in re.findall(rb"\0(cu(?:vid)?[A-Z]\w+)(?=\0)", library.read_bytes())}
    there = set(re.findall(r"\b(cu\w+)\(", source)) | set(re.findall(r"IDLE\((\w+)\)", source))
    calls = " ".join(f"MISSING({name})" for name in sorted(wanted - there))
    for name in NAMES:
        command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", f"-DCALLS={calls}", str(SOURCE), "-o", str(folder / name)]
        subprocess.run(command, check=True)


def seen() -> dict[str, Any]:
    """What a process with the simulated device prints."""
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        command, place = [sys.executable, "-m", "tests.gpu.nvdec", "here"], {"LD_LIBRARY_PATH": folder}
        said = subprocess.run(command, cwd=ROOT, env=os.environ | place, capture_output=True, text=True, check=False)
    if said.returncode:
        raise RuntimeError(said.stderr[-2000:])
    found: dict[str, Any] = json.loads(said.stdout)
    return found


class Device:
    """The simulated device of this process."""

    def __init__(self) -> None:
        self.driver, self.decoder = map(ctypes.CDLL, NAMES)

    @property
    def decoded(self) -> int:
        """Pictures so far."""
        return int(self.decoder.pictures_decoded())

    @property
    def contexts(self) -> int:
        """How often a context of the device was made."""
        return int(self.driver.contexts_made())

    def show(self, path: Path) -> None:
        """Lets the device decode the pictures of an H.264 file, by software's planes."""
        with av.open(str(path)) as container:
            coded = {packet.pts: _slices(bytes(packet)) for packet in container.demux(video=0) if packet.size}
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                planes = np.ascontiguousarray(frame.reformat(format="nv12").to_ndarray()).tobytes()
                data = coded[frame.pts]
                assert self.decoder.show(data, len(data), frame.width, frame.height, planes), "shown before"

    @contextmanager
    def lost_after(self, pictures: int) -> Iterator[None]:
        """It fails when it has decoded so many pictures more."""
        self.decoder.lose_after(self.decoded + pictures)
        yield
        self.decoder.lose_after(0)


def _slices(packet: bytes) -> bytes:
    """The coded slices of a picture as they are sent to a device: units of types 1 and 5, each after a start code."""
    found, place = b"", 0
    while place < len(packet):
        size = int.from_bytes(packet[place : place + 4], "big")
        unit = packet[place + 4 : place + 4 + size]
        found += b"\0\0\1" + unit if unit[0] & 31 in (1, 5) else b""
        place += 4 + size
    return found


def film(path: Path, size: tuple[int, int], seed: int) -> Path:
    """A file as they are published: pictures predicted from both sides, a key frame every 24."""
    noise = np.random.default_rng(seed).integers(0, 255, (FRAMES, size[0] // 2, size[1] // 2, 3), dtype=np.uint8)
    write_film(path, noise.repeat(2, axis=1).repeat(2, axis=2), g="24", bf="2", sc_threshold="0")
    return path


def same(device: Device, path: Path, times: list[float], short_side: int | None = None) -> int:
    """How many pictures the device decoded for ``times``; -1 where its pixels differ from software's."""
    before = device.decoded
    found = read_video(path, times, short_side, hardware=True)
    taken = device.decoded - before
    return taken if np.array_equal(found, read_video(path, times, short_side)) else -1


def trained(source: ClipSource, decoding: str) -> float:
    """The headline of a network trained on the clips of ``source``."""
    data = clip_world(clips=len(source))
    splits = {name: replace(data.split(name), frames=source) for name in ("train", "validation", "test")}
    return headline(training(Supervised(**CLIP, **TINY, decoding=decoding), replace(data, **splits)).train())


def here(folder: Path) -> dict[str, Any]:
    """All that the device shows in this process."""
    device = Device()
    films = [film(folder / f"{seed}.mp4", size, seed) for seed, size in enumerate(SIZES)]
    for path in films:
        device.show(path)
    found: dict[str, Any] = {"kinds": list(present())}
    with open_container(films[0], hardware=True) as container:
        found["stored as"] = sorted({frame.format.name for frame in container.decode(video=0)})
    every, few = [index / 30 for index in range(FRAMES)], [1.5, 0.1, 1.9]
    found["pictures"] = {path.name: [same(device, path, every), same(device, path, few, 32)] for path in films}
    source = ClipSource(np.array([str(path) for path in films * 4]), np.arange(20, 32), frames=8, rate=2, short_side=32)
    with ThreadPoolExecutor(4) as threads:
        clips = list(threads.map(source.on_hardware().clip, range(len(source))))
    found["clips in threads"] = all(np.array_equal(clip, source.clip(i)) for i, clip in enumerate(clips))
    before = device.decoded
    found["trained"] = [trained(source, "hardware"), trained(source, "software")]
    found["for the training"] = device.decoded - before
    with device.lost_after(10):
        found["until it is lost"] = same(device, films[1], every)
    unknown = folder / "unknown.mp4"
    write_video(unknown, np.zeros((30, 48, 64, 3), dtype=np.uint8), codec="mpeg4")
    found["another codec"] = same(device, unknown, [0.5])
    found["contexts"] = device.contexts
    return found


def main() -> None:
    """Print what was seen."""
    if sys.argv[1:] != ["here"]:
        print(json.dumps(seen(), indent=1))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(here(Path(folder))))


if __name__ == "__main__":
    main()
