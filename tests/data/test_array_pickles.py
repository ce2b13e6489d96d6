"""Published pickles are read as arrays; whatever else they ask for is refused unrun."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.data.array_pickles import load_arrays
from suite.data.readers.clip_features import ClipFeatures
from suite.data.readers.two_streams import TwoStreams
from suite.data.storage.rows import blocks_of
from suite.errors import DataError
from tests.data.published import feature_of, write_features


def _dump(path: Path, content: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
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


class _Made:
    """Pickles as a call of ``build`` with ``values`` and, if given, a state."""

    def __init__(self, build: Any, values: tuple[Any, ...], *state: Any) -> None:
        self.parts = (build, values, *state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


RECONSTRUCT, SCALAR = np.empty(0).__reduce__()[0], np.float64(0).__reduce__()[0]
_FROM_BUFFER = np.arange(2).__reduce_ex__(5)[0]
DOUBLE, OBJECT = np.dtype("f8"), np.dtype("O")


def _array(shape: Any, kind: Any, content: Any) -> _Made:
    return _Made(RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, shape, kind, False, content))


FORGED = {
    "flags of objects on numbers": _Made(np.dtype, ("f8", False, True), (3, "<", None, None, None, -1, -1, 63)),
    "another item size": _Made(np.dtype, ("f8", False, True), (3, "<", None, None, None, 1 << 20, 8, 0)),
    "fields": _Made(np.dtype, ("V8", False, True), (3, "|", None, ("a",), {"a": (DOUBLE, 0)}, 8, 1, 16)),
    "a subarray": _Made(np.dtype, ("f8", False, True), (3, "<", (DOUBLE, (9,)), None, None, -1, -1, 0)),
    "raw bytes": _Made(np.dtype, ("V64", False, True)),
    "dates": _Made(np.dtype, ("M8[s]", False, True)),
    "a shape larger than its bytes": _array((1000,), DOUBLE, b"\0" * 8),
    "a shape that overflows": _array((1 << 40, 1 << 40), DOUBLE, b""),
    "a negative shape": _array((-1,), DOUBLE, b""),
    "fewer objects than the shape": _array((5,), OBJECT, [1]),
    "objects from bytes": _array((1,), OBJECT, b"\0" * 8),
    "an array of foreign memory": _Made(np.ndarray, ((64,),)),
    "an array without content": _Made(RECONSTRUCT, (np.ndarray, (1 << 30,), b"d")),
    "an object as a number": _Made(SCALAR, (OBJECT, b"\0" * 8)),
    "a number without bytes": _Made(SCALAR, (DOUBLE, b"")),
    "fewer bytes than the shape": _Made(_FROM_BUFFER, (b"\0" * 8, DOUBLE, (1000,), "C")),
    "objects from a buffer": _Made(_FROM_BUFFER, (b"\0" * 8, OBJECT, (1,), "C")),
    "a function that is changed": _Made(RECONSTRUCT, (np.ndarray, (0,), b"b"), (None, {"_build": 1})),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_is_forged_is_refused_before_numpy_sees_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"a\.pkl is not a whole file of arrays"):
        content = load_arrays(_dump(tmp_path / "a.pkl", [FORGED[name]]))
        raise DataError(f"accepted {content!r}"[:99])


def test_a_pickle_changes_no_function_of_the_reader(tmp_path: Path) -> None:
    code = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}X\x06\x00\x00\x00_buildNs\x86b."
    code = code.replace(b"\n}X", b"\nN}X")  # BUILD with (None, {"_build": None}): attributes that are slots
    (tmp_path / "a.pkl").write_bytes(code)
    with pytest.raises(DataError, match="it sets _build of a function"):
        load_arrays(tmp_path / "a.pkl")
    assert load_arrays(_dump(tmp_path / "b.pkl", np.arange(3))).tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", ["f2", "<f4", ">f8", "i1", ">u4", "i8", "?", "c16", "U3", "S5", "O"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 1, 2)])
def test_plain_arrays_of_every_kind_are_read(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    count = int(np.prod(shape))
    array = np.arange(count).astype("U3" if kind == "O" else kind).astype(kind).reshape(shape)
    for ordered in (array, array.copy(order="F")):
        found = load_arrays(_dump(tmp_path / "a.pkl", ordered))
        assert (
            found.dtype == array.dtype.newbyteorder("=") and found.shape == shape and found.tolist() == array.tolist()
        )


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
