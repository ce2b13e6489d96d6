"""Frames that are missing or damaged are named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from suite.conformance.clip_frames import examine_frames
from suite.rehearsal import draft, rehearse, request

THERE, DECODED = "every video has its frames", "clips can be decoded"


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("suite.rehearsal.people.SMALL", 2)
    asked = request("ava-v2.2", tmp_path, tmp_path / "to", videos=4)
    rehearse(asked, draft(asked))
    return tmp_path / "to"


def findings(root: Path) -> dict[str, tuple[str, str]]:
    found = examine_frames("ava-v2.2[holdout=0.4]", root, root.parent / "cache")
    return {one.check: (one.state, one.said) for one in found}


def test_frames_that_are_whole_missing_or_damaged(pack):
    assert {state for state, _ in findings(pack).values()} == {"yes"}
    folders = sorted((pack / "ava_v2.2" / "frames").glob("t*"))
    for path in folders[0].glob("*.jpg"):
        path.write_bytes(b"no picture")
    assert findings(pack)[DECODED][0] == "no"
    shutil.rmtree(folders[0])
    found = findings(pack)
    assert found[THERE] == ("no", f"1 of 4 videos have no frames: {folders[0].name}; extract or get them")
    shutil.rmtree(pack / "ava_v2.2" / "frames")
    shutil.rmtree(pack.parent / "cache")
    assert findings(pack)[THERE][0] == "look"
