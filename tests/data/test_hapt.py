"""The HAPT reader on a small archive in the published layout, and on the real one where it is at hand."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from suite.data import find_card, load
from suite.data.readers import hapt, hapt_signals
from suite.data.request import dataset_request
from suite.data.storage.verify import verify
from suite.errors import DataError
from suite.tasks.localization.samples import Videos

REAL = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
LABELS = "1 1 5 11 100\n1 1 7 101 140\n2 6 1 1 200\n3 2 12 21 60\n3 2 1 61 300\n"
ACTIVITIES = "".join(f"{i} {name}\n" for i, name in enumerate(["WALKING", *["SIT_TO_STAND"] * 11], 1))


def files(labels: str = LABELS) -> dict[str, str]:
    generator = np.random.default_rng(0)
    made = {"activity_labels.txt": ACTIVITIES, "RawData/labels.txt": labels}
    for experiment, user, length in ((1, 1, 160), (2, 6, 200), (3, 2, 300)):
        for sensor in ("acc", "gyro"):
            rows = generator.normal(size=(length, 3))
            text = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in rows)
            made[f"RawData/{sensor}_exp{experiment:02d}_user{user:02d}.txt"] = text
    return made


def zipped(content: dict[str, str], prefix: str = "HAPT Data Set/") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in content.items():
            archive.writestr(prefix + name, text)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hapt.zip").write_bytes(zipped(files()))
    return tmp_path


def test_recordings_pair_sensors_and_labels(folder: Path) -> None:
    recordings, classes = hapt_signals.read_recordings(folder)
    assert [(r.name, r.user, len(r)) for r in recordings] == [("exp01", 1, 160), ("exp02", 6, 200), ("exp03", 2, 300)]
    assert classes[:2] == ("walking", "sit to stand")
    first = recordings[0]
    assert (first.label.tolist(), first.start.tolist(), first.end.tolist()) == ([4, 6], [10, 100], [100, 140])
    expected = np.loadtxt(io.StringIO(files()["RawData/gyro_exp01_user01.txt"]))
    np.testing.assert_allclose(first.signals[:, 3:], expected, rtol=1e-6)
    labels = first.sample_labels()
    assert (labels[9], labels[10], labels[99], labels[100], labels[139], labels[140]) == (-1, 4, 4, 6, 6, -1)


def test_the_archive_may_be_unpacked_or_a_zip_in_a_zip(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    expected, _ = hapt_signals.read_recordings(folder)
    unpacked, nested = tmp_path_factory.mktemp("unpacked"), tmp_path_factory.mktemp("nested")
    with zipfile.ZipFile(folder / "hapt.zip") as archive:
        archive.extractall(unpacked)
    with zipfile.ZipFile(nested / "outer.zip", "w") as archive:
        archive.writestr("inner.zip", zipped(files(), prefix=""))
    for place in (unpacked, nested):
        found, _ = hapt_signals.read_recordings(place)
        assert len(found) == 3
        np.testing.assert_array_equal(found[2].signals, expected[2].signals)


def damaged(folder: Path, content: dict[str, str]) -> None:
    (folder / "hapt.zip").write_bytes(zipped(content))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("RawData/acc_exp01_user01.txt", "1 2 x\n", "is damaged"),
        ("RawData/acc_exp01_user01.txt", "1 2\n1 2\n", "has 2 columns, not 3"),
        ("RawData/labels.txt", "1 1 5 11 900\n", "shorter than its labels say"),
        ("RawData/labels.txt", "1 1 5 90 20\n", "reversed"),
        ("RawData/gyro_exp02_user06.txt", None, "cannot read RawData/gyro_exp02_user06.txt"),
        ("RawData/gyro_exp02_user06.txt", "1 2 3\n4 5 6\n", "2 gyroscope samples for 200"),
        ("RawData/labels.txt", None, r"holds no RawData/labels\.txt"),
    ],
)
def test_damage_is_told_in_one_sentence(folder: Path, name: str, text: str | None, said: str) -> None:
    content = files() | {name: text or ""}
    if text is None:
        del content[name]
    damaged(folder, content)
    with pytest.raises(DataError, match=said) as caught:
        hapt_signals.read_recordings(folder)
    assert "\n" not in str(caught.value)


def test_a_cut_archive_is_told(folder: Path) -> None:
    whole = (folder / "hapt.zip").read_bytes()
    (folder / "hapt.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not a whole zip archive"):
        hapt_signals.read_recordings(folder)


def test_statistics_are_what_they_are_called() -> None:
    signals = np.random.default_rng(1).normal(size=(100, 6)).astype(np.float32)
    rows = hapt_signals.statistics(signals, window=32, stride=10)
    assert rows.shape == ((100 - 32) // 10 + 1, 36)
    for place in (0, 6):
        window = signals[place * 10 : place * 10 + 32].astype(np.float64)
        for channel in range(6):
            values, following = window[:, channel], window[:, channel // 3 * 3 + (channel + 1) % 3]
            expected = [
                values.mean(),
                values.std(),
                values.min(),
                values.max(),
                np.abs(np.diff(values)).mean(),
                np.corrcoef(values, following)[0, 1],
            ]
            np.testing.assert_allclose(rows[place, 6 * channel : 6 * channel + 6], expected, rtol=1e-4, atol=1e-6)


def test_statistics_of_the_short_and_the_still() -> None:
    assert hapt_signals.statistics(np.ones((5, 6), np.float32), window=32, stride=10).shape == (1, 36)
    still = hapt_signals.statistics(np.ones((64, 6), np.float32), window=32, stride=10)
    assert np.isfinite(still).all()
    assert set(np.unique(still)) == {0.0, 1.0}


def recording(label: list[int], start: list[int], end: list[int], length: int = 200) -> hapt_signals.Recording:
    signals = np.arange(length * 6, dtype=np.float32).reshape(length, 6)
    return hapt_signals.Recording("exp01", 1, signals, np.array(label), np.array(start), np.array(end))


def test_a_cut_keeps_and_shortens_what_it_meets() -> None:
    piece = recording([0, 1, 2, 3], [0, 40, 90, 160], [30, 80, 150, 200]).cut(50, 160, "clip")
    assert (piece.name, len(piece), piece.signals[0, 0]) == ("clip", 110, 300.0)
    assert (piece.label.tolist(), piece.start.tolist(), piece.end.tolist()) == ([1, 2], [0, 40], [30, 100])


def test_pure_windows_lie_in_one_segment() -> None:
    whole = recording([3, 1, 2], [0, 60, 110], [60, 90, 120])
    starts, labels = hapt_signals.pure_windows(whole, window=40, stride=10)
    assert list(zip(starts.tolist(), labels.tolist())) == [(0, 3), (10, 3), (20, 3), (55, 1)]
    edge_starts, _ = hapt_signals.pure_windows(recording([1], [0], [25], length=60), window=40, stride=10)
    assert edge_starts.tolist() == [0]


def test_videos_tell_time_in_seconds(folder: Path) -> None:
    recordings, _ = hapt_signals.read_recordings(folder)
    videos = hapt.as_videos(recordings, 12, window=50, stride=25)
    assert videos.lengths.tolist() == [5, 7, 11]
    assert videos.snippet_seconds.tolist() == [0.5] * 3
    assert videos.duration.tolist() == [3.2, 4.0, 6.0]
    assert videos.segments.start.tolist() == [0.2, 2.0, 0.0, 0.4, 1.2]
    assert videos.segments.video.tolist() == [0, 0, 1, 2, 2]
    assert videos.video_labels[2].nonzero()[0].tolist() == [0, 11]


def test_splits_are_by_official_user_and_scaled_by_training_users(folder: Path) -> None:
    data = hapt.read(find_card("hapt"), folder, {}, "semi-localization")
    splits: list[Videos] = [data.train, data.validation, data.test]
    assert [split.unit.tolist() for split in splits] == [["user01"], ["user06"], ["user02"]]
    np.testing.assert_allclose(data.train.rows.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(data.train.rows.std(axis=0), 1, atol=1e-3)
    assert abs(data.test.rows.mean()) > 1e-3
    assert data.facts["feature_halves"]


needs_real = pytest.mark.skipif(not (REAL / "hapt").is_dir(), reason=f"no HAPT archive in {REAL / 'hapt'} (SUITE_DATA)")


@needs_real
def test_the_real_archive_agrees_with_its_card(tmp_path: Path) -> None:
    findings = verify(dataset_request("hapt", root=REAL, cache=tmp_path))
    assert {finding.what: finding.found for finding in findings if not finding.agrees} == {}
    assert {"sequences", "users", "samples", "segments", "overlaps", "train", "test"} <= {f.what for f in findings}
    data = load("hapt[labelled=0.25]", root=REAL, cache=tmp_path, seed=1)
    users = {split: set(data.split(split).unit.tolist()) for split in ("train", "validation", "test")}
    assert [len(group) for group in users.values()] == [16, 5, 9]
    assert data.train.labelled.sum() == 8
    assert (load("hapt[labelled=0.25]", root=REAL, cache=tmp_path, seed=2).train.labelled != data.train.labelled).any()
    assert len([path for path in tmp_path.glob("hapt-*") if path.is_dir()]) == 1
