"""Feature files of clips that are odd in one way are said to be odd in that way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from suite.conformance.clip_packs import examine_clips
from suite.data.readers.clip_features import ClipFeatures
from suite.data.readers.hmdb import feature_files
from suite.rehearsal import draft, rehearse, request
from suite.rehearsal.pickles import write_clip_features

NAME = "confusing-hmdb-102"
CLIPS, NUMBERS = "features and labels are of the same clips", "every feature is a finite number"
CHANNELS, MODALITIES = "features are as wide as the card states", "RGB and flow are what their files say"
Look = Callable[..., dict[str, tuple[str, str]]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack with nothing wrong, in which clips of one film are alike."""
    to = tmp_path_factory.mktemp("whole")
    asked = request(NAME, to / "nothing", to, videos=1020, channels=64, dials={"background": 0.6, "snr": 2.0})
    rehearse(asked, draft(asked))
    return to


@pytest.fixture
def damaged(whole: Path, tmp_path: Path) -> Look:
    """Copy the pack, change its first RGB file, look into the copy."""

    def look(change: Callable[[ClipFeatures], tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[str, str]]:
        root = tmp_path / "pack"
        shutil.copytree(whole, root)
        path = feature_files(root / "hmdb51", 1, "train")[0]
        ids, rows = change(ClipFeatures(path))
        # Plain arrays: those that were read are of a class of the reader, which pickles would name.
        write_clip_features(path, np.array(ids), np.zeros(len(ids)), np.array(rows))
        return findings(root)

    return look


def findings(root: Path, name: str = NAME) -> dict[str, tuple[str, str]]:
    return {one.check: (one.state, one.said) for one in examine_clips(name, root)}


def test_a_whole_pack_is_not_odd(whole):
    found = findings(whole)
    assert {state for state, _ in found.values()} == {"yes"} and len(found) == 5, found
    assert not found[MODALITIES][1].startswith("as far as statistics tell, in 0")


def test_a_whole_pack_of_kitchens_is_not_odd(tmp_path):
    asked = request("epic-kitchens-100-spmv", tmp_path, tmp_path / "to", channels=16)
    rehearse(asked, draft(asked))
    found = findings(tmp_path / "to", "epic-kitchens-100-spmv")
    assert {state for state, _ in found.values()} == {"yes"} and len(found) == 5, found


def test_missing_clips(damaged):
    found = damaged(lambda file: (file.ids[3:], file.rows[3:]))
    assert found[CLIPS][0] == "no" and "lacks 3 of" in found[CLIPS][1]


def test_clips_without_labels(damaged):
    found = damaged(lambda file: (np.append(file.ids, 9999), np.vstack([file.rows, file.rows[:1]])))
    assert found[CLIPS][0] == "look" and "1 clips that have no label" in found[CLIPS][1]


def test_values_that_are_no_numbers(damaged):
    found = damaged(lambda file: (file.ids, np.where(np.arange(len(file.ids))[:, None] == 5, np.nan, file.rows)))
    assert found[NUMBERS][0] == "no" and "1 clips hold values that are not finite" in found[NUMBERS][1]


def test_other_types(damaged):
    found = damaged(lambda file: (file.ids, file.rows.astype(np.float64)))
    assert found[NUMBERS][0] == "look" and "float64" in found[NUMBERS][1]


def test_another_width(damaged):
    found = damaged(lambda file: (file.ids, file.rows[:, :8]))
    assert found[CHANNELS] == ("no", "files differ in width: [8, 32] channels")


def test_one_modality_copied_over_the_other(whole, tmp_path):
    root = tmp_path / "pack"
    shutil.copytree(whole, root)
    rgb, flow = feature_files(root / "hmdb51", 2, "val")
    shutil.copy(rgb, flow)
    assert findings(root)[MODALITIES][0] == "no"


def test_modalities_exchanged(whole, tmp_path):
    root = tmp_path / "pack"
    shutil.copytree(whole, root)
    rgb, flow = feature_files(root / "hmdb51", 1, "train")
    content = rgb.read_bytes()
    rgb.write_bytes(flow.read_bytes())
    flow.write_bytes(content)
    found = findings(root)
    assert (
        found[MODALITIES][0] == "look" and "train 1" in found[MODALITIES][1] and "train 2" not in found[MODALITIES][1]
    )
