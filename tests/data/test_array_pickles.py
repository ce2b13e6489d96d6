"""Published pickles are read as arrays; whatever else they ask for is refused unrun."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.data.readers.clip_features import ClipFeatures
from suite.data.readers.two_streams import TwoStreams
from suite.data.storage.rows import blocks_of
from suite.errors import DataError
from tests.data.published import feature_of, write_features


def _dump(path: Path, content: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(5))
def test_every_protocol_gives_the_same_arrays(tmp_path: Path, protocol: int) -> None:
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    content = {"video_ids": np.array([5, 2, 9, 7]), "labels": np.zeros(4), "clip_features": rows, "note": "ünïcode"}
    found = ClipFeatures(_dump(tmp_path / "a.pkl", content, protocol))
    np.testing.assert_array_equal(found.take(found.find(np.array([9, 5]))), rows[[2, 0]])


def test_features_in_a_tuple_and_ids_in_a_list(tmp_path: Path) -> None:
    content = {"video_ids": [3, 1], "clip_features": (np.ones((2, 4), dtype=np.float64),)}
    assert ClipFeatures(_dump(tmp_path / "a.pkl", content)).take(np.array([1])).dtype == np.float32


class _Malicious:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_nothing_in_a_pickle_runs(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    content = {"video_ids": np.arange(2), "clip_features": _Malicious(f"touch {trace}")}
    with pytest.raises(DataError, match=r"system, which is no array"):
        ClipFeatures(_dump(tmp_path / "a.pkl", content))
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        {"video_ids": np.arange(3), "clip_features": np.ones((2, 4))},
        {"video_ids": np.arange(2)},
        {"video_ids": np.arange(2), "clip_features": np.ones((2, 4), dtype=int)},
        [1, 2],
    ],
)
def test_other_content_is_named(tmp_path: Path, content: Any) -> None:
    with pytest.raises(DataError, match="holds no 'video_ids'"):
        ClipFeatures(_dump(tmp_path / "a.pkl", content))


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    path = _dump(tmp_path / "a.pkl", {"video_ids": np.arange(2), "clip_features": np.ones((2, 4))})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"a\.pkl is not a whole file"):
        ClipFeatures(path)


def test_repeated_clips_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="twice"):
        ClipFeatures(_dump(tmp_path / "a.pkl", {"video_ids": [1, 1], "clip_features": np.ones((2, 4))}))


def test_streams_are_joined_by_clip(tmp_path: Path) -> None:
    write_features(tmp_path / "rgb.pkl", np.arange(10, 30), 0.0, frames=8)
    write_features(tmp_path / "flow.pkl", np.arange(10, 35), 0.5)
    streams = TwoStreams(tmp_path / "rgb.pkl", tmp_path / "flow.pkl")
    rows = streams.rows(np.array([29, 10, 15]))
    found = np.concatenate(list(blocks_of(rows)))
    expected = [np.concatenate([feature_of(i, 0.0), feature_of(i, 0.5)]) for i in (29, 10, 15)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert rows.shape == (3, 6)
    with pytest.raises(DataError, match=r"rgb\.pkl has no features of clip 31"):
        streams.rows(np.array([12, 31]))
