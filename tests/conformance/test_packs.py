"""A pack that is odd in one way is said to be odd in that way: rehearsal packs, each damaged once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from suite.conformance.packs import examine_pack
from suite.rehearsal import draft, rehearse, request

VIDEOS, FEATURES = "features and annotations are of the same videos", "every file holds finite floating-point numbers"
CHANNELS, LENGTHS = "features are as wide as the card states", "lengths fit durations and the card's stride"
ORDER, EXCHANGED = "RGB comes before flow", "all videos have their modalities in the same order"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of THUMOS-14 with nothing wrong."""
    return written("thumos-14", tmp_path_factory.mktemp("whole"))


def written(name: str, to: Path) -> Path:
    asked = request(name, to / "nothing", to, videos=16, channels=32)
    rehearse(asked, draft(asked))
    return to


@pytest.fixture
def damaged(whole: Path, tmp_path: Path) -> Callable[..., dict[str, tuple[str, str]]]:
    """Copy the pack, change its features by ``change(place, rows)`` (None: the file goes), look into the copy."""
    import shutil

    def look(change: Callable[[int, np.ndarray], np.ndarray | None], **more: object) -> dict[str, tuple[str, str]]:
        root = tmp_path / "pack"
        shutil.copytree(whole, root)
        for place, path in enumerate(sorted((root / "thumos14" / "features").glob("*.npy"))):
            rows = change(place, np.load(path))
            path.unlink()
            if rows is not None:
                np.save(path, rows)
        return findings(root)

    return look


def findings(root: Path, name: str = "thumos-14") -> dict[str, tuple[str, str]]:
    return {one.check: (one.state, one.said) for one in examine_pack(name, root)}


def only(found: dict[str, tuple[str, str]], *checks: str) -> None:
    """Nothing but ``checks`` is noticed."""
    assert {check for check, (state, _) in found.items() if state != "yes"} == set(checks), found


@pytest.mark.parametrize(
    "name", ["thumos-14-dense", "thumos-14-tsn", "activitynet-12", "activitynet-13", "activitynet-13-tsn"]
)
def test_a_whole_pack_of_any_card_is_not_odd(name, tmp_path):
    found = findings(written(name, tmp_path), name)
    only(found)
    assert len(found) == 7


def test_a_whole_pack_is_not_odd(whole):
    found = findings(whole)
    only(found)
    assert "rehearsal pack" in found["the pack's files are there"][1]
    assert "RGB keeps more" in found[ORDER][1]


def test_channels_before_snippets(damaged):
    found = damaged(lambda place, rows: rows.T)
    only(found, CHANNELS, LENGTHS)
    assert "write them as (snippets, channels)" in found[CHANNELS][1]


def test_no_pack_at_all(tmp_path):
    found = findings(tmp_path)
    assert next(iter(found.values()))[0] == "no" and len(found) == 1


def test_missing_videos(damaged):
    found = damaged(lambda place, rows: None if place in (2, 5) else rows)
    only(found, VIDEOS)
    assert found[VIDEOS][0] == "no" and found[VIDEOS][1].startswith("2 annotated videos have no features: video_")


def test_annotations_of_other_videos(damaged, whole, tmp_path):
    path = tmp_path / "pack" / "thumos14" / "thumos14_412.json"
    damaged(lambda place, rows: rows)
    database = json.loads(path.read_text())
    path.write_text(json.dumps({f"other_{name}": entry for name, entry in database.items()}))
    found = findings(tmp_path / "pack")
    assert found[VIDEOS][0] == "no" and "no annotated video has features" in found[VIDEOS][1]


def test_videos_without_annotation(damaged, tmp_path):
    damaged(lambda place, rows: rows)
    folder = tmp_path / "pack" / "thumos14" / "features"
    np.save(folder / "video_test_9999999.npy", np.load(next(folder.glob("*.npy"))))
    found = findings(tmp_path / "pack")
    only(found, VIDEOS)
    assert found[VIDEOS] == (
        "look",
        "1 videos with features are not annotated and will not be used: video_test_9999999",
    )


def test_values_that_are_no_numbers(damaged):
    found = damaged(lambda place, rows: np.where(np.arange(rows.shape[1]) == 3, np.nan, rows) if place == 4 else rows)
    assert found[FEATURES][0] == "no" and "1 videos hold values that are not finite" in found[FEATURES][1]


@pytest.mark.parametrize(("kind", "state"), [(np.float64, "look"), (np.float16, "look"), (np.int32, "no")])
def test_other_types_of_numbers(damaged, kind, state):
    found = damaged(lambda place, rows: rows.astype(kind) if place == 1 else rows)
    assert found[FEATURES][0] == state and np.dtype(kind).name in found[FEATURES][1]


def test_a_file_that_is_cut(damaged, tmp_path):
    damaged(lambda place, rows: rows)
    path = sorted((tmp_path / "pack" / "thumos14" / "features").glob("*.npy"))[3]
    path.write_bytes(path.read_bytes()[:-100])
    found = findings(tmp_path / "pack")
    assert found[FEATURES][0] == "no" and path.name in found[FEATURES][1]


def test_widths_that_differ(damaged):
    found = damaged(lambda place, rows: rows[:, :16] if place == 0 else rows)
    assert found[CHANNELS][0] == "no" and "1 videos are not 32 channels wide" in found[CHANNELS][1]


def test_one_modality_alone(damaged, tmp_path):
    """Without the mark, features are held to the width that the card states."""
    damaged(lambda place, rows: np.tile(rows, 32))
    for mark in (tmp_path / "pack").rglob("GENERATED-FEATURES.json"):
        mark.unlink()
    found = findings(tmp_path / "pack")
    assert found[CHANNELS] == (
        "no",
        "features are 1024 channels wide, the card states 2048; this is one modality alone",
    )


@pytest.mark.parametrize(("keep", "frames"), [(slice(None, None, 2), "32"), (slice(None, None, 4), "64")])
def test_another_stride(damaged, keep, frames):
    found = damaged(lambda place, rows: rows[keep])
    # So few rows of a video may also make the halves of its channels look exchanged.
    only({check: said for check, said in found.items() if check != EXCHANGED}, LENGTHS)
    stated = found[LENGTHS][1].split()[2]
    assert float(stated) == pytest.approx(float(frames), rel=0.1)
    assert "the card states 16" in found[LENGTHS][1]


def test_lengths_that_do_not_fit(damaged):
    found = damaged(lambda place, rows: rows[: len(rows) // 2] if place in (3, 7) else rows)
    only(found, LENGTHS)
    assert "2 of 16 videos have lengths that do not fit" in found[LENGTHS][1]


def test_flow_before_rgb(damaged):
    found = damaged(lambda place, rows: np.roll(rows, 16, axis=1))
    only(found, ORDER)
    assert found[ORDER][0] == "look" and "whether flow comes first" in found[ORDER][1]


def test_modalities_exchanged_in_some_videos(damaged):
    found = damaged(lambda place, rows: np.roll(rows, 16, axis=1) if place in (1, 8) else rows)
    assert found[EXCHANGED][0] == "look" and "exchanged in 2 videos" in found[EXCHANGED][1]
