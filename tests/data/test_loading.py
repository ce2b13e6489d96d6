"""Loading: packed once per version, opened by name and dials; what is wrong with data is told in one sentence."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from suite.data import fingerprint, load
from suite.data.reading import Reader
from suite.data.request import dataset_request
from suite.errors import DataError, SuiteError, UsageError
from suite.sealing import checked, with_check
from tests.data.conftest import Toy

PROJECT = Path(__file__).resolve().parents[2]


def test_a_dataset_is_read_once_and_mapped_after(toy: Toy) -> None:
    first = load("toy")
    second = load("toy", "recognition")
    assert toy.reads() == 1
    assert (first.task, first.name, len(first.train), first.classes) == (
        "recognition",
        "toy",
        6,
        ("red", "green", "blue"),
    )
    np.testing.assert_array_equal(first.test.features, second.test.features)
    assert not first.train.features.flags.writeable
    assert first.facts["kind"] == "planted"


def test_packing_tells_how_much_of_the_features_is_done(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    asked = "planted-verbs[train=6000,validation=60,test=60,channels=128]"
    packed = load(asked, cache=tmp_path, tell=lambda *words: told.append(words))
    size = sum(packed.split(split).features.nbytes for split in ("train", "validation", "test")) >> 20
    assert size > 1 and {(what, total) for what, _, total in told} == {("packing: MiB", size)}
    done = [one for _, one, _ in told]
    assert done == sorted(done) and done[-1] == size
    told.clear()
    load(asked, cache=tmp_path, tell=lambda *words: told.append(words))
    assert told == [], "it is packed already"


def test_tasks_and_dials_are_packed_apart(toy: Toy) -> None:
    assert len(load("toy[size=9]").train) == 9
    assert load("toy[size=9]").name == "toy[size=9]"
    assert len(load("toy", dials={"size": 7}).train) == 7
    assert len(load("toy", "weak-localization").train.rows) == 30
    assert toy.reads() == 3


def test_dials_that_act_on_loading_pack_nothing_anew(toy: Toy) -> None:
    assert load("toy[labelled=0.5]", seed=3).facts["opened"] == [0.5, 3]
    assert load("toy[split_seed=8]", seed=3).facts["opened"] == [1.0, 8]
    assert load("toy").facts["opened"] == [1.0, 0]
    assert toy.reads() == 1


def test_the_protocol_is_part_of_the_data_and_its_fingerprint(toy: Toy) -> None:
    loose = load("toy", protocol="loose")
    assert loose.protocol == "loose"
    assert loose.facts["protocol"] == {"tiou": [0.1]}
    assert loose.fingerprint == fingerprint("toy", protocol="loose") != fingerprint("toy")
    assert toy.reads() == 1


def test_the_fingerprint_follows_what_is_read_and_nothing_else(toy: Toy) -> None:
    first = fingerprint("toy")
    assert fingerprint("toy", "weak-localization") != first
    assert fingerprint("toy[size=7]") != first
    assert fingerprint("toy[labelled=0.5]") != first
    toy.card(about="other words")
    assert fingerprint("toy") == first
    toy.card(dtype="float16")
    assert fingerprint("toy") != first
    toy.card()
    toy.reader.write_text(toy.reader.read_text() + "\n# words about the reader\n")
    assert fingerprint("toy") == first
    toy.reader.write_text(toy.reader.read_text() + "\nSCALE = 2\n")
    assert fingerprint("toy") != first
    assert toy.reads() == 0


def test_the_fingerprint_follows_the_files(toy: Toy) -> None:
    (toy.folder / "features.bin").write_bytes(b"abc")
    toy.card(files='[[files]]\npath = "features.bin"')
    first = fingerprint("toy")
    (toy.folder / "features.bin").write_bytes(b"abd")
    os.utime(toy.folder / "features.bin", (1, 1))
    assert fingerprint("toy") != first


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("toi", "did you mean 'toy'"),
        ("toy[sise=3]", "did you mean 'size'"),
        ("toy[size=99]", "out of range"),
        ("toy[size=x]", "not of type int"),
    ],
)
def test_a_wrong_request_is_a_usage_error(toy: Toy, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(name)
    with pytest.raises(UsageError, match="no protocol 'lose'"):
        load("toy", protocol="lose")
    with pytest.raises(UsageError, match="does not serve"):
        load("toy", "actor-detection")


@pytest.mark.parametrize(
    ("fault", "task", "said"),
    [
        ("nan", "recognition", r"toy: the features of 'test-2' \(test\) hold values that are not finite in float32"),
        ("inf", "recognition", r"'test-2' \(test\)"),
        ("nan", "weak-localization", r"'train-2' \(train\)"),
        ("label", "recognition", r"'test-1' \(test\) has label 3, outside the 3 classes"),
        ("label", "weak-localization", r"'train-2' \(train\) has label -1, outside the 3 classes"),
        ("shared-unit", "recognition", r"toy: 'train-u0' is in both train and validation"),
        ("short", "recognition", "announced 7 rows and gave 6|6 ids but 7 rows"),
    ],
)
def test_faulty_data_are_told_and_never_packed(toy: Toy, fault: str, task: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        load(f"toy[fault={fault}]", task)
    assert str(caught.value).endswith(".")
    assert str(caught.value).count("\n") == 0
    assert not [path for path in (toy.root / "outputs" / "cache" / "data").glob("toy-*") if path.is_dir()]


@pytest.mark.parametrize("where", ["at once", "while rows are streamed"])
def test_damage_that_a_reader_did_not_foresee_is_told(toy: Toy, where: str) -> None:
    text, fault = toy.reader.read_text(), "int('no number')"
    if where == "at once":
        changed = text.replace("    parts = [", f"    {fault}\n    parts = [")
    else:
        changed = text.replace("lambda: iter([features[:3], features[3:]])", f"lambda: ({fault} for _ in range(1))")
    assert changed != text
    toy.reader.write_text(changed)
    with pytest.raises(DataError, match=r"toy: cannot be read from .*no number.*suite data verify toy") as caught:
        load("toy")
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_full_disk_is_told_as_such(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("suite.data.storage.store.os.fsync", full)
    with pytest.raises(DataError, match=r"no room to pack toy in .*; make room"):
        load("toy")


def test_a_value_beyond_half_precision_is_told(toy: Toy) -> None:
    assert load("toy[fault=huge]").test.features.max() == 1e5
    toy.card(dtype="float16")
    assert load("toy").test.features.dtype == np.float16
    with pytest.raises(DataError, match="not finite in float16"):
        load("toy[fault=huge]")


def test_a_cut_store_is_told_and_force_mends_it(toy: Toy) -> None:
    from suite.data.loading import open_dataset

    load("toy")
    asked = dataset_request("toy")
    os.truncate(asked.store_folder() / "arrays.bin", 100)
    with pytest.raises(DataError, match="has 100 bytes instead of"):
        load("toy")
    open_dataset(asked, force=True)
    assert len(load("toy").train) == 6


@pytest.mark.parametrize(
    ("old", "new"), [('"format": 1', '"format": 0'), ('"unit": {', '"units": {'), (":Clips", ":Clip")]
)
def test_a_store_of_another_version_is_built_anew(toy: Toy, old: str, new: str) -> None:
    first = load("toy")
    index = dataset_request("toy").store_folder() / "index.json"
    text = index.read_text()
    assert old in text
    changed = json.dumps(checked(json.loads(text))).replace(old, new)
    index.write_text(json.dumps(with_check(json.loads(changed))))
    np.testing.assert_array_equal(load("toy").train.features, first.train.features)
    assert toy.reads() == 2
    assert old in index.read_text()


def stated(content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f'[[files]]\npath = "features.bin"\nsize = {len(content)}\nsha256 = "{digest}"'


def test_missing_cut_and_changed_files_are_told(toy: Toy) -> None:
    content = bytes(range(200))
    toy.card(files=stated(content))
    path = toy.folder / "features.bin"
    with pytest.raises(DataError, match=r"toy: features\.bin is not in .*toy; see s, or set --data"):
        load("toy")
    path.write_bytes(content[:150])
    with pytest.raises(DataError, match=r"features\.bin has 150 bytes instead of 200; fetch it again"):
        load("toy")
    path.write_bytes(content[::-1])
    with pytest.raises(DataError, match="another SHA-256"):
        load("toy")
    path.write_bytes(content)
    os.utime(path, (5, 5))
    assert len(load("toy").train) == 6


def test_a_group_of_files_must_be_complete(toy: Toy) -> None:
    toy.card(files='[[files]]\npath = "features/*.npy"\ncount = 3')
    (toy.folder / "features").mkdir()
    for name in "ab":
        (toy.folder / "features" / f"{name}.npy").write_bytes(name.encode())
    with pytest.raises(DataError, match=r"2 files match .* instead of 3"):
        load("toy")
    (toy.folder / "features" / "c.npy").write_bytes(b"c")
    assert len(load("toy").train) == 6


@pytest.mark.parametrize(
    ("reader", "said"),
    [
        ("nowhere", "no reader 'nowhere'"),
        ("nowhere.py", r"no Python file .*nowhere\.py"),
        ("toy_reader.py:raed", "no 'raed' in reader"),
    ],
)
def test_a_reader_that_is_not_there_is_told(toy: Toy, reader: str, said: str) -> None:
    path = toy.root / "cards" / "toy.toml"
    path.write_text(path.read_text().replace("toy_reader.py", reader))
    with pytest.raises(SuiteError, match=said):
        load("toy")


def test_a_function_is_a_reader_without_hooks(toy: Toy) -> None:
    path = toy.root / "cards" / "toy.toml"
    path.write_text(path.read_text().replace("toy_reader.py", "toy_reader.py:read"))
    assert "opened" not in load("toy").facts


@pytest.mark.parametrize("hook", ["late", "on_open", "counts"])
def test_a_hook_that_nobody_would_call_is_told(toy: Toy, hook: str) -> None:
    toy.reader.write_text(toy.reader.read_text() + f"\n{hook} = with_dials\n")
    path = toy.root / "cards" / "toy.toml"
    path.write_text(path.read_text().replace("toy_reader.py", "toy_reader.py:read"))
    with pytest.raises(UsageError, match=rf"does not use {hook}\(\); declare READER = Reader\(read"):
        load("toy")


def test_hooks_are_checked_when_they_are_declared() -> None:
    with pytest.raises(UsageError, match="'on_open' must be a function of data, dials"):
        Reader(lambda card, folder, dials, task: None, on_open=lambda data: data)  # type: ignore[arg-type, misc]


def test_a_reader_of_another_task_is_told(toy: Toy) -> None:
    toy.reader.write_text(toy.reader.read_text().replace('clips if task == "recognition" else videos', "videos"))
    with pytest.raises(DataError, match="toy: train is Videos, but recognition needs Clips"):
        load("toy")


def test_an_unwritable_cache_is_told(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    (toy.root / "file").write_text("")
    monkeypatch.setenv("SUITE_OUTPUTS", str(toy.root / "file"))
    with pytest.raises(DataError, match="cannot write to"):
        load("toy")


def test_processes_that_load_together_read_once(toy: Toy) -> None:
    code = "import suite.data; print(float(suite.data.load('toy[size=40]').train.features.sum()))"
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE) for _ in range(3)]
    sums = {process.communicate(timeout=60)[0] for process in processes}
    assert len(sums) == 1
    assert b"" not in sums
    assert toy.reads() == 1
