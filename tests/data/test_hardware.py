"""Video decoded by hardware: equal pixels from its order of planes, software where there is no device or it fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from suite.data import hardware, video
from suite.data.video import ClipSource, read_video, write_video
from suite.errors import DataError

TIMES = [0.5, 0.1, 1.3]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_video(path, np.random.default_rng(0).integers(0, 255, (45, 48, 64, 3), dtype=np.uint8))
    return path


def test_kinds_that_are_present_decode(film: Path) -> None:
    assert set(hardware.present()) <= set(hardware.KINDS)
    np.testing.assert_array_equal(read_video(film, TIMES, hardware=True), read_video(film, TIMES))


def test_software_decodes_where_no_device_can(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "present", lambda: ("vaapi", "videotoolbox", "unknown"))
    with hardware.open_container(film, hardware=True) as container:
        assert len(list(container.decode(video=0))) == 45
    np.testing.assert_array_equal(read_video(film, TIMES, hardware=True), read_video(film, TIMES))


def test_a_missing_file_is_still_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "present", lambda: ("cuda", "vaapi"))
    with pytest.raises(DataError, match="is missing; put the video there"):
        read_video(tmp_path / "none.mp4", TIMES, hardware=True)


@pytest.mark.parametrize("stored", ["nv12", "p010le"])
@pytest.mark.parametrize("short_side", [None, 24])
def test_planes_in_another_order_give_the_same_pixels(stored: str, short_side: int | None, film: Path) -> None:
    """The frame that a device would have stored, of the values that software decoded."""
    wanted = hardware.PLANAR[stored]
    with av.open(str(film)) as container:
        for frame in container.decode(video=0):
            own = frame.reformat(format=wanted)
            device = own.reformat(format=stored)
            assert device.format.name == stored
            np.testing.assert_array_equal(hardware.planar(device).to_ndarray(), own.to_ndarray())
            np.testing.assert_array_equal(video._pixels(device, short_side), video._pixels(own, short_side))


def test_a_frame_in_the_order_of_software_stays_as_it_is() -> None:
    frame = av.VideoFrame(64, 48, "yuv420p")
    assert hardware.planar(frame) is frame


def test_a_device_that_fails_on_the_way_leaves_the_file_to_software(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    decoded = video._decoded

    def opened(path: Path, by_device: bool) -> Any:
        asked.append(by_device)
        return av.open(str(path))

    def failing(*given: Any) -> Iterator[Any]:
        if asked[-1]:
            raise av.error.ExternalError(1, "the device is lost")
        yield from decoded(*given)

    monkeypatch.setattr(video, "open_container", opened)
    monkeypatch.setattr(video, "_decoded", failing)
    found = read_video(film, TIMES, hardware=True)
    assert asked == [True, False]
    np.testing.assert_array_equal(found, read_video(film, TIMES))


def test_clips_of_a_source_on_hardware_are_the_same(film: Path) -> None:
    source = ClipSource(np.array([str(film)] * 2), np.array([10, 14]), frames=8, rate=2, short_side=24)
    by_device = source.on_hardware()
    assert by_device.hardware
    assert by_device.take(np.array([1])).hardware
    np.testing.assert_array_equal(by_device.clip(0), source.clip(0))
    np.testing.assert_array_equal(by_device.together([0, 1]), source.together([0, 1]))
