"""A rehearsal pack can neither be mistaken for the real one nor take its place."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from suite.data import find_card, load
from suite.data.request import dataset_request
from suite.data.storage.generated import MARK
from suite.data.storage.verify import summary, verify
from suite.errors import DataError, UsageError
from suite.places import Places
from suite.rehearsal import draft, rehearse, request
from suite.results.ledger import Ledger
from suite.runs import cautions, dataset_label, resolve_run, run_id
from suite.work.execute import execute

NAME = "thumos-14[features=generated]"


def test_a_pack_is_marked_in_its_name_its_facts_and_its_print(write, tmp_path):
    root = write("thumos-14")
    data = load("thumos-14", "", root, tmp_path / "cache")
    assert data.name == NAME and data.facts["kind"] == "generated"
    again = write("thumos-14", to=tmp_path / "other", seed=1)
    assert load("thumos-14", "", again, tmp_path / "cache").fingerprint != data.fingerprint


def test_a_run_is_marked_in_its_specification_and_its_row(write, tmp_path):
    places = Places(str(tmp_path / "out"), str(write("thumos-14")))
    spec = resolve_run("topk-mil", "thumos-14", {"hidden": 4}, epochs=1, root=places.root)
    assert spec.dials["features"] == "generated"
    assert dataset_label(spec) == NAME
    assert "generated" in cautions(spec)[0]
    ledger = Ledger.of(places.outputs)
    ledger.record(execute(spec, places))
    row = ledger.runs().row(0, named=True)
    assert (row["status"], row["dataset"]) == ("finished", NAME), row["error"]
    # As the row names it, the dataset is found again: predictions are scored again that way.
    assert (
        run_id(resolve_run("topk-mil", row["dataset"], {"hidden": 4}, epochs=1, root=places.root), places) == row["run"]
    )


def test_a_run_on_published_data_keeps_its_specification(tmp_path):
    spec = resolve_run("topk-mil", "thumos-14", root=tmp_path)
    assert "features" not in spec.dials
    assert dataset_label(spec) == "thumos-14"


def test_what_was_generated_is_not_found_among_published_data(tmp_path):
    with pytest.raises(DataError, match="holds no rehearsal pack"):
        load(NAME, "", tmp_path, tmp_path / "cache")
    with pytest.raises(UsageError, match="can only be 'generated'"):
        load("thumos-14[features=published]", "", tmp_path, tmp_path / "cache")


def test_features_that_are_moved_elsewhere_stay_marked(write, tmp_path):
    """Somebody copies the folder of features beside real annotations."""
    pack = write("thumos-14") / "thumos14"
    real = tmp_path / "real" / "thumos14"
    shutil.copytree(pack / "features", real / "features")
    asked = dataset_request("thumos-14", root=tmp_path / "real", cache=tmp_path / "cache")
    assert asked.dials["features"] == "generated"


def test_a_mark_that_cannot_be_read_is_a_mark(write, tmp_path):
    root = write("thumos-14")
    (root / "thumos14" / MARK).write_text("{")
    assert dataset_request("thumos-14", root=root, cache=tmp_path).dials["features"] == "generated"


def test_annotations_of_a_pack_are_held_to_what_was_written(write, tmp_path):
    root = write("thumos-14")
    path = root / "thumos14" / "thumos14_412.json"
    assert summary(*_verified(root, tmp_path)) == ""
    path.write_text(path.read_text().replace("Diving", "Dining"))
    assert "thumos14_412.json" in summary(*_verified(root, tmp_path))
    with pytest.raises(DataError, match="suite data rehearse thumos-14"):
        load("thumos-14", "", root, tmp_path / "cache")


def _verified(root: Path, tmp_path: Path):
    asked = dataset_request("thumos-14", root=root, cache=tmp_path / "cache")
    return asked, verify(asked)


def test_real_data_are_never_touched(write, tmp_path):
    features = tmp_path / "data" / "thumos14" / "features"
    features.mkdir(parents=True)
    (features / "video_test_0000004.npy").write_bytes(b"real")
    for force in (False, True):
        with pytest.raises(DataError, match="no rehearsal wrote"):
            write("thumos-14", force=force)
    assert [path.name for path in features.iterdir()] == ["video_test_0000004.npy"]


def test_a_pack_to_which_something_was_added_is_not_replaced(write):
    pack = write("thumos-14") / "thumos14"
    with pytest.raises(DataError, match="--force"):
        write("thumos-14")
    before = json.loads((pack / MARK).read_text())
    write("thumos-14", force=True, seed=3)
    assert json.loads((pack / MARK).read_text()) == before | {"seed": 3, "files": _hashes(pack)}
    (pack / "features" / "mine.npy").write_bytes(b"")
    with pytest.raises(DataError, match="no rehearsal wrote"):
        write("thumos-14", force=True)


def _hashes(pack: Path):
    return json.loads((pack / MARK).read_text())["files"]


def test_a_disk_without_room_is_noticed_before_anything_is_written(write, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: namedtuple("usage", "free")(2**20))
    with pytest.raises(DataError, match=r"needs about .* where 0\.0 are free"):
        write("thumos-14")
    assert not (tmp_path / "data" / "thumos14").exists()


def test_an_interrupted_pack_is_not_there(tmp_path):
    asked = request("thumos-14", tmp_path, tmp_path / "data", channels=8, videos=12)
    made = draft(asked)

    def interrupt(written: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rehearse(asked, made, interrupt)
    assert not [path for path in (tmp_path / "data").rglob("*") if path.suffix in (".npy", ".json")]


@pytest.mark.parametrize(
    ("name", "says"),
    [("planted-verbs", "generated already"), ("hapt", "suite data get hapt"), ("yeast", "no rehearsal writes")],
)
def test_what_needs_no_rehearsal_says_why(name, says, tmp_path):
    with pytest.raises(UsageError, match=says):
        request(name, tmp_path, tmp_path)


def test_sizes_and_dials_that_do_not_exist(tmp_path):
    with pytest.raises(UsageError, match="at least 4"):
        request("thumos-14", tmp_path, tmp_path, videos=2)
    with pytest.raises(UsageError, match="class_snr"):
        request("thumos-14", tmp_path, tmp_path, dials={"clas_snr": 2})
    with pytest.raises(UsageError, match="even number"):
        draft(request("thumos-14", tmp_path, tmp_path, channels=7))


def test_no_card_of_real_data_may_use_the_dial_of_the_mark():
    card = find_card("thumos-14")
    dials = {**card.model_dump()["dials"], "features": {"default": "x"}}
    with pytest.raises(ValueError, match="rehearsal packs"):
        type(card).model_validate(card.model_dump() | {"dials": dials})
