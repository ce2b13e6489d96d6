"""The store: what goes in comes out, half files are never believed, nothing is copied."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from suite.data.storage.rows import LazyRows
from suite.data.storage.store import build_once, open_store, verify_store, write_store
from suite.errors import DataError
from suite.evaluate.segments import Segments
from suite.sealing import checked, with_check
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips

PROJECT = Path(__file__).resolve().parents[2]


def write(folder: Path, value: object, dtype: str | None = None) -> Path:
    write_store(folder, value, lambda key: dtype)
    return folder


def some_clips(features: np.ndarray | LazyRows) -> Clips:
    count = len(features)
    ids = np.array([f"clip-{i}" for i in range(count)])
    return Clips(ids, features, np.arange(count), np.eye(count, dtype=bool), ids, {"posterior": np.ones((count, 2))})


def test_nested_samples_come_back_equal(tmp_path: Path) -> None:
    clips = some_clips(np.arange(12.0).reshape(4, 3))
    segments = Segments(np.array([0, 1]), np.array([2, 0]), np.array([0.0, 1.5]), np.array([1.0, 2.5]))
    facts = {
        "groups": {"head": [1], "tail": [2, 3]},
        "tiou": (0.3, 0.5),
        "none": None,
        "at": segments,
        "path": tmp_path,
    }
    data = TaskData("toy", "recognition", ("a", "b"), clips, clips, clips, facts=facts)
    again = open_store(write(tmp_path / "store", data))
    assert (again.name, again.classes, again.facts["groups"]) == ("toy", ("a", "b"), {"head": [1], "tail": [2, 3]})
    assert again.facts["tiou"] == (0.3, 0.5)
    assert again.facts["path"] == tmp_path
    np.testing.assert_array_equal(again.facts["at"].start, segments.start)
    assert again.facts["at"].score is None
    for name in ("ids", "features", "label", "truth", "unit"):
        np.testing.assert_array_equal(getattr(again.test, name), getattr(clips, name))
        assert getattr(again.test, name).dtype == getattr(clips, name).dtype
    np.testing.assert_array_equal(again.train.oracle["posterior"], clips.oracle["posterior"])


numbers = arrays.arrays(
    dtype=st.sampled_from(["<f4", "<f8", ">f8", "<f2", "i1", "<i8", "?"]),
    shape=arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers, max_size=4))
def test_any_arrays_come_back_equal(tmp_path_factory: pytest.TempPathFactory, values: list[np.ndarray]) -> None:
    again = open_store(write(tmp_path_factory.mktemp("any") / "store", values))
    assert len(again) == len(values)
    for before, after in zip(values, again):
        np.testing.assert_array_equal(after, before)
        assert after.dtype == before.dtype.newbyteorder("=")
        assert not after.flags.writeable


def test_an_array_that_splits_share_is_read_once(tmp_path: Path) -> None:
    read = []

    def blocks():
        read.append(1)
        yield np.ones((3, 2), dtype=np.float32)

    rows = LazyRows((3, 2), blocks)
    write_store(tmp_path / "store", {"validation": rows, "test": rows, "half": rows}, {"half": "float16"}.get)
    found = open_store(tmp_path / "store")
    assert len(read) == 2, "once for each type it is stored in"
    np.testing.assert_array_equal(found["validation"], found["test"])
    assert found["half"].dtype == np.float16 and verify_store(tmp_path / "store")


def test_equal_arrays_are_kept_once(tmp_path: Path) -> None:
    """Also where they come as blocks of other sizes, and whatever stands between and behind them."""
    rows = np.random.default_rng(0).standard_normal((1000, 16), dtype=np.float32)
    parts = (rows[:400], rows[400:])
    again = LazyRows((1000, 16), lambda: iter(parts))
    other = rows.copy()
    other[-1, -1] += 1
    value = {"test": rows, "between": other, "validation": again, "ints": rows.view(np.int32), "last": rows[:1]}
    folder = write(tmp_path / "store", value)
    assert (folder / "arrays.bin").stat().st_size < 3 * rows.nbytes + 1000
    assert verify_store(folder)
    found = open_store(folder)
    for key, expected in {**value, "validation": rows}.items():
        assert found[key].dtype == expected.dtype
        np.testing.assert_array_equal(found[key], expected)


def test_rows_are_streamed_and_narrowed(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(10, 4))
    lazy = LazyRows((10, 4), lambda: iter([rows[:1], rows[1:7], rows[7:]]))
    (again,) = open_store(write(tmp_path / "store", [lazy], "float16"))
    np.testing.assert_array_equal(again, rows.astype(np.float16))


@pytest.mark.parametrize(("rows", "width", "said"), [(9, 4, "announced 10 rows and gave 9"), (10, 3, "wide")])
def test_a_reader_that_miscounts_is_told(tmp_path: Path, rows: int, width: int, said: str) -> None:
    lazy = LazyRows((10, 4), lambda: iter([np.zeros((rows, width))]))
    with pytest.raises(DataError, match=said):
        write(tmp_path / "store", [lazy])


def test_what_cannot_be_stored_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"put a object at 'here\.it'"):
        write(tmp_path / "store", {"here": {"it": object()}})


@pytest.mark.parametrize("cut", [1, 64])
def test_a_cut_file_is_told_in_one_sentence(tmp_path: Path, cut: int) -> None:
    folder = write(tmp_path / "store", [np.arange(100)])
    path = folder / "arrays.bin"
    os.truncate(path, path.stat().st_size - cut)
    with pytest.raises(DataError, match="bytes instead of") as caught:
        open_store(folder)
    assert str(path) in str(caught.value)
    assert "prepare it again" in str(caught.value)


def test_a_damaged_index_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path / "store", [np.arange(100)])
    (folder / "index.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        open_store(folder)


def test_changed_bytes_are_found(tmp_path: Path) -> None:
    folder = write(tmp_path / "store", [np.arange(100)])
    assert verify_store(folder)
    with (folder / "arrays.bin").open("r+b") as file:
        file.seek(40)
        file.write(b"\xff")
    assert not verify_store(folder)
    with pytest.raises(DataError, match=r"arrays\.bin is not as it was written"):
        open_store(folder)


def test_the_index_cannot_name_a_foreign_class(tmp_path: Path) -> None:
    folder = write(tmp_path / "store", [np.arange(3)])
    index = checked(json.loads((folder / "index.json").read_text()))
    index["tree"] = {"class": "subprocess:Popen", "fields": {"args": {"value": "true"}}}
    (folder / "index.json").write_text(json.dumps(with_check(index)))
    with pytest.raises(DataError, match="outside the suite"):
        open_store(folder)


def test_a_builder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def blocks() -> Iterator[np.ndarray]:
        yield np.zeros((5, 4))
        raise DataError("the third video is missing; get it.")

    with pytest.raises(DataError, match="third video"):
        build_once(tmp_path / "store", lambda place: write_store(place, [LazyRows((10, 4), blocks)], lambda key: None))
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def run(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)


def test_a_killed_builder_is_not_believed(tmp_path: Path) -> None:
    process = run(
        """
        import sys, time
        from pathlib import Path
        import numpy as np
        from suite.data.storage.rows import LazyRows
        from suite.data.storage.store import build_once, write_store

        def blocks():
            yield np.zeros((5, 4))
            print("half", flush=True)
            time.sleep(60)

        rows = LazyRows((10, 4), blocks)
        build_once(Path(sys.argv[1]), lambda place: write_store(place, [rows], lambda key: None))
        """,
        tmp_path / "store",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    remains = [path.name for path in tmp_path.iterdir() if path.is_dir()]
    assert len(remains) == 1
    assert "partial" in remains[0]
    build_once(tmp_path / "store", lambda place: write(place, [np.ones(3)]) and None)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["store"]
    np.testing.assert_array_equal(open_store(tmp_path / "store")[0], np.ones(3))


def test_processes_that_come_together_build_once(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        import numpy as np
        from suite.data.storage.store import build_once, open_store, write_store

        folder = Path(sys.argv[1])

        def build(place):
            with (folder.parent / "built").open("a") as log:
                log.write("x")
            time.sleep(0.3)
            write_store(place, [np.arange(1000)], lambda key: None)

        print(int(open_store(build_once(folder, build))[0].sum()))
        """
    processes = [run(code, tmp_path / "store") for _ in range(3)]
    sums = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert sums == [str(sum(range(1000)))] * 3
    assert (tmp_path / "built").read_text() == "x"


def test_opening_an_epic_size_store_costs_no_memory(tmp_path: Path) -> None:
    rows, channels = 67_217, 4_096
    folder = write(tmp_path / "store", {"features": np.zeros((1, channels), np.float32)})
    index = checked(json.loads((folder / "index.json").read_text()))
    size = rows * channels * 4
    index["arrays"]["features"]["shape"] = [rows, channels]
    index["bytes"] = size
    (folder / "index.json").write_text(json.dumps(with_check(index)))
    os.truncate(folder / "arrays.bin", size)  # sparse: takes no room on the disk either
    process = run(
        """
        import sys
        from pathlib import Path
        import numpy, psutil
        from suite.data.storage.store import open_store
        before = psutil.Process().memory_info()
        features = open_store(Path(sys.argv[1]))["features"]
        total = float(features[::5000].sum())
        after = psutil.Process().memory_info()
        print(features.shape[0], total, after.rss - before.rss)
        """,
        folder,
    )
    count, total, grown = process.communicate(timeout=60)[0].split()
    assert (int(count), float(total)) == (rows, 0.0)
    assert int(grown) < 30 * 2**20 < size


def test_packing_holds_a_block_at_a_time(tmp_path: Path) -> None:
    process = run(
        """
        import resource, sys
        from pathlib import Path
        import numpy as np
        from suite.data.storage.rows import LazyRows
        from suite.data.storage.store import write_store

        def blocks():
            for start in range(0, 16_000, 500):
                yield np.full((500, 4096), start, dtype=np.float32)

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        write_store(Path(sys.argv[1]), [LazyRows((16_000, 4096), blocks)], lambda key: "float32")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        """,
        tmp_path / "store",
    )
    grown = int(process.communicate(timeout=120)[0])
    assert grown < 64 * 1024  # KiB; the whole is 250 MiB
    assert open_store(tmp_path / "store")[0][15_999, 0] == 15_500
