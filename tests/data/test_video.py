"""Video files and frame folders: the right picture at the right time, borders, sizes, and files that are broken."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from suite.data.video import (
    ClipSource,
    clip_indices,
    key_frame,
    read_frame_folder,
    read_video,
    short_side_size,
    write_video,
)
from suite.errors import DataError
from tests.data.films import write_film

FRAMES = 75


def numbered(height: int = 48, width: int = 64, frames: int = FRAMES) -> np.ndarray:
    """Frames whose number is written as eight black or white bars: a codec cannot blur it away."""
    bits = (np.arange(frames)[:, None] >> np.arange(8)) & 1
    bars = np.repeat(bits, width // 8, axis=1) * 200 + 20
    return np.broadcast_to(bars[:, None, :, None], (frames, height, width, 3)).astype(np.uint8)


def number(picture: np.ndarray) -> int:
    bars = picture.mean(axis=(0, 2)).reshape(8, -1).mean(axis=1)
    return int(((bars > 120) << np.arange(8)).sum())


@pytest.fixture(scope="module", params=["libx264", "mpeg4"])
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / f"{request.param}.mp4"
    write_video(path, numbered(), codec=request.param)
    return path


def test_every_frame_is_found_from_a_fresh_seek(video: Path) -> None:
    assert [number(read_video(video, [index / 30])[0]) for index in range(FRAMES)] == list(range(FRAMES))


def test_times_in_any_order_and_repeated(video: Path) -> None:
    wanted = [60, 3, 3, 41, 0, 74]
    assert [number(picture) for picture in read_video(video, [index / 30 for index in wanted])] == wanted


def test_times_after_the_end_give_the_last_picture(video: Path) -> None:
    assert [number(picture) for picture in read_video(video, [2.0, 9.0])] == [60, FRAMES - 1]


def test_other_frame_rates_are_read_on_the_grid_of_thirty(tmp_path: Path) -> None:
    write_video(tmp_path / "slow.mp4", numbered(), fps=15)
    grid = [number(picture) for picture in read_video(tmp_path / "slow.mp4", [index / 30 for index in range(0, 60, 2)])]
    assert grid == list(range(30))


def test_short_side_keeps_the_ratio(video: Path) -> None:
    assert read_video(video, [0.0], short_side=24).shape == (1, 24, 32, 3)
    assert short_side_size(256, 340, 256) == (256, 340)
    assert short_side_size(480, 640, 256) == (256, 341)
    assert short_side_size(640, 480, 256) == (341, 256)


def test_clip_of_the_published_sampling() -> None:
    indices = clip_indices(900, 32, 2)
    assert indices[0] == 868
    assert indices[-1] == 930
    assert indices[16] == 900, "the key frame is element 16"
    assert clip_indices(5, 32, 2)[:14].tolist() == [0] * 14, "before the video its first frame repeats"
    assert clip_indices(70, 32, 1, last=74)[-3:].tolist() == [74, 74, 74]


def test_key_frames_of_annotated_seconds() -> None:
    assert key_frame(902, start=900) == 60
    assert key_frame(1798, start=900) == 26940
    assert key_frame(902.5, start=900) == 75


def test_clip_from_a_video_around_its_key_frame(video: Path) -> None:
    source = ClipSource(np.array([str(video)] * 2), np.array([40, 73]), frames=8, rate=2, short_side=None)
    assert [number(picture) for picture in source.clip(0)] == list(range(32, 48, 2))
    assert [number(picture) for picture in source.clip(1)] == [65, 67, 69, 71, 73, 74, 74, 74]
    assert source.take(np.array([1])).centres.tolist() == [73]


def test_clip_from_a_frame_folder(tmp_path: Path) -> None:
    from PIL import Image

    for index, picture in enumerate(numbered(frames=20)):
        Image.fromarray(picture).save(tmp_path / f"{index + 1:05d}.png")
    pattern = "{index:05d}.png"
    assert [number(picture) for picture in read_frame_folder(tmp_path, [7, 0, 7], pattern)] == [7, 0, 7]
    source = ClipSource(np.array([str(tmp_path)]), np.array([17]), 8, 1, short_side=None, pattern=pattern)
    assert [number(picture) for picture in source.clip(0)] == [13, 14, 15, 16, 17, 18, 19, 19]
    missing = ClipSource(np.array([str(tmp_path)]), np.array([40]), 8, 1, pattern=pattern)
    with pytest.raises(DataError, match=r"no image 00041\.png"):
        missing.clip(0)


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds without a second seek point, with pictures that no other is decoded from."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    generator = np.random.default_rng(0)
    noisy = (
        np.clip(picture + generator.integers(-9, 9, picture.shape), 0, 255).astype(np.uint8)
        for picture in np.concatenate([numbered(frames=250), numbered(frames=50)])
    )
    write_film(path, noisy, preset="medium", g="600", bf="3", sc_threshold="0")
    return path


def whole(path: Path) -> np.ndarray:
    """Every picture of a file, decoded from its start."""
    import av

    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_what_is_passed_over_changes_no_pixel(long_video: Path) -> None:
    pictures = whole(long_video)
    for first in (0, 29, 31, 100, 187, 260, 299):
        wanted = np.minimum(np.arange(first, first + 12, 2), 299)
        np.testing.assert_array_equal(read_video(long_video, (wanted / 30).tolist()), pictures[wanted])
    np.testing.assert_array_equal(read_video(long_video, [12.0]), pictures[-1:], "long after the last picture")


def test_pictures_before_a_gap_are_not_passed_over(tmp_path: Path) -> None:
    """A rate that changes: the picture shown may be seconds old."""
    path = tmp_path / "gap.mp4"
    write_film(path, numbered(frames=62), [*range(60), 200, 201], preset="medium", g="600", bf="3")
    assert [number(picture) for picture in read_video(path, [5.0, 6.7])] == [59, 61]


def test_neighbours_in_a_video_are_decoded_together(long_video: Path, video: Path) -> None:
    files = np.array([str(long_video)] * 6 + [str(video)] * 2)
    source = ClipSource(files, np.array([30, 45, 60, 61, 150, 299, 40, 73]), frames=8, rate=2, short_side=24)
    runs = source.neighbours(range(8))
    assert runs == [[0, 1, 2, 3], [4], [5], [6], [7]]
    for run in runs:
        for index, clip in zip(run, source.together(run), strict=True):
            np.testing.assert_array_equal(clip, source.clip(index))
    assert source.neighbours([2, 0, 1]) == [[2], [0, 1]]
    assert source.neighbours([]) == []


def test_neighbours_in_a_frame_folder_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    for index, picture in enumerate(numbered(frames=40)):
        Image.fromarray(picture).save(tmp_path / f"{index + 1:05d}.png")
    files, centres = np.array([str(tmp_path)] * 4), np.array([3, 11, 19, 38])
    source = ClipSource(files, centres, 8, 2, short_side=24, pattern="{index:05d}.png")
    assert source.neighbours(range(4)) == [[0, 1, 2], [3]]
    alone, opened = [source.clip(index) for index in range(3)], []
    own = Image.open
    monkeypatch.setattr(Image, "open", lambda path: opened.append(path) or own(path))
    for clip, expected in zip(source.together([0, 1, 2]), alone, strict=True):
        np.testing.assert_array_equal(clip, expected)
    assert len(opened) == len(set(opened)) < 24


def test_broken_files_are_one_sentence(tmp_path: Path, video: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        read_video(tmp_path / "none.mp4", [0.0])
    (tmp_path / "text.mp4").write_text("no video at all")
    with pytest.raises(DataError, match="not a video that can be opened"):
        read_video(tmp_path / "text.mp4", [0.0])
    early = ClipSource(np.array([str(video)]), np.array([FRAMES + 30]), 8, 1)
    with pytest.raises(DataError, match=r"ends at 2\.50 s, before its key frame at 3\.50 s"):
        early.clip(0)
    (tmp_path / "00001.jpg").write_bytes(b"not an image")
    with pytest.raises(DataError, match="not a readable image"):
        read_frame_folder(tmp_path, [0], "{index:05d}.jpg")


def test_file_cut_off_in_the_middle(tmp_path: Path) -> None:
    """A stream that stops early: clips before the cut are read, a key frame behind it is one sentence."""
    whole = tmp_path / "whole.mkv"
    noise = np.random.default_rng(0).integers(0, 255, (FRAMES, 48, 64, 3)).astype(np.uint8)
    write_video(whole, noise)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    source = ClipSource(np.array([str(cut)] * 2), np.array([10, 70]), 8, 1)
    assert source.clip(0).shape[0] == 8
    with pytest.raises(DataError, match="before its key frame"):
        source.clip(1)


@pytest.mark.parametrize("harm", ["cut", "scattered", "header"])
def test_damaged_files_never_raise_anything_but_one_sentence(tmp_path: Path, harm: str) -> None:
    """Seeks that fail, names in headers that are no text, packets that lie: a training goes on without the clip."""
    whole, path, broken = tmp_path / "whole.mp4", tmp_path / "harmed.mp4", 0
    write_video(whole, numbered())
    for seed in range(40):
        generator = np.random.default_rng(seed)
        content = np.frombuffer(whole.read_bytes(), dtype=np.uint8).copy()
        if harm == "cut":
            content = content[: generator.integers(1, len(content))]
        elif harm == "scattered":
            content[generator.integers(len(content), size=200)] = generator.integers(0, 256, size=200)
        else:
            content[-1 - generator.integers(2000, size=30)] = generator.integers(0, 256, size=30)
        path.write_bytes(content.tobytes())
        for centre in (10, 60):
            try:
                assert ClipSource(np.array([str(path)]), np.array([centre]), 8, 1).clip(0).shape[0] == 8
            except DataError:
                broken += 1
    assert broken > 20


def test_damaged_and_ill_matched_images_are_one_sentence(tmp_path: Path) -> None:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(numbered(frames=1)[0]).save(content, format="PNG")
    (tmp_path / "1.png").write_bytes(content.getvalue().replace(b"IDAT", b"\xa64\x13\xd3", 1))
    with pytest.raises(DataError, match=r"1\.png is not a readable image"):
        read_frame_folder(tmp_path, [0], "{index}.png")
    (tmp_path / "1.png").write_bytes(content.getvalue())
    Image.fromarray(numbered(height=16, frames=1)[0]).save(tmp_path / "2.png")
    with pytest.raises(DataError, match="several sizes"):
        read_frame_folder(tmp_path, [0, 1], "{index}.png")
