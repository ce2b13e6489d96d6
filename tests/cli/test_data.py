"""``suite data`` as a user types it."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path

import pytest

from tests.cli.conftest import Typed, sentence
from tests.data.conftest import Toy, toy
from tests.data.test_fetch import CONTENT, Server, server, spec

__all__ = ["server", "toy"]  # fixtures


def test_list_tells_what_is_there(toy: Toy, typed: Typed) -> None:
    toy.card(files='[[files]]\npath = "a.bin"')
    rows = {row["name"]: row for row in json.loads(typed("data", "list", "--json")[0])}
    assert rows["toy"]["tasks"] == ["recognition", "weak-localization"]
    assert (rows["toy"]["kind"], rows["toy"]["on disk"]) == ("real", "no")
    assert {"hapt", "toy"} <= set(rows)
    (toy.folder / "a.bin").write_bytes(b"1")
    (row,) = (row for row in json.loads(typed("data", "list", "--json")[0]) if row["name"] == "toy")
    assert row["on disk"] == "yes"
    narrowed = json.loads(typed("data", "list", "--task", "weak-localization", "--json")[0])
    assert all("weak-localization" in row["tasks"] for row in narrowed)
    assert "A toy" in typed("data", "list")[0]


def test_show_prints_the_whole_card(toy: Toy, typed: Typed) -> None:
    shown = json.loads(typed("data", "show", "hapt", "--json")[0])
    assert shown["counts"]["segments"] == 1214
    assert "forbids commercial use" in shown["licence"]
    text = typed("data", "show", "hapt")[0]
    assert all(word in text for word in ("Neurocomputing", "sha256", "labelled", "tiou: 0.3, 0.4"))


def test_a_users_folder_of_cards_can_be_named(
    toy: Toy, typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SUITE_DATASETS", "")
    assert "no dataset 'toy'" in sentence(typed("data", "show", "toy", code=2)[1])
    out, _ = typed("data", "--datasets", tmp_path / "cards", "show", "toy", "--json")
    assert json.loads(out)["title"] == "A toy"


def test_an_unknown_dataset_is_one_sentence_and_code_2(typed: Typed) -> None:
    out, err = typed("data", "show", "hatp", code=2)
    assert out == ""
    assert "did you mean 'hapt'" in sentence(err)


def test_verify_agrees_or_says_what_differs(toy: Toy, typed: Typed) -> None:
    findings = json.loads(typed("data", "verify", "toy", "--json")[0])
    assert all(finding["agrees"] for finding in findings)
    toy.card(samples=17)
    out, err = typed("data", "verify", "toy", "--json", code=1)
    assert [f["what"] for f in json.loads(out) if not f["agrees"]] == ["samples"]
    assert "samples is 18 where the card states 17" in sentence(err)


def test_prepare_packs_every_task_once(toy: Toy, typed: Typed) -> None:
    out = toy.root / "elsewhere"
    rows = json.loads(typed("data", "prepare", "toy", "toy[size=9]", "--out", out, "--json")[0])
    assert [(row["dataset"], row["task"], row["train"]) for row in rows] == [
        ("toy", "recognition", 6),
        ("toy", "weak-localization", 6),
        ("toy[size=9]", "recognition", 9),
        ("toy[size=9]", "weak-localization", 9),
    ]
    assert all(Path(row["folder"]).is_relative_to(out) and Path(row["folder"]).is_dir() for row in rows)
    assert toy.reads() == 4
    typed("data", "prepare", "toy", "--task", "recognition", "--out", out)
    assert toy.reads() == 4
    typed("data", "prepare", "toy", "--task", "recognition", "--out", out, "--force")
    assert toy.reads() == 5


@pytest.mark.parametrize(("fault", "said"), [("nan", "not finite"), ("label", "outside the 3 classes")])
def test_faulty_data_are_one_sentence_and_code_1(toy: Toy, typed: Typed, fault: str, said: str) -> None:
    assert said in sentence(typed("data", "prepare", f"toy[fault={fault}]", code=1)[1])


def test_get_fetches_and_checks(toy: Toy, typed: Typed, server: Server) -> None:
    file = spec(server)
    toy.card(files=f'[[files]]\npath = "x.bin"\nurl = "{file.url}"\nsha256 = "{file.sha256}"\nsize = {file.size}')
    server.cuts = [1_000_000]
    rows = json.loads(typed("data", "get", "toy", "--json")[0])
    assert rows == [{"file": "x.bin", "folder": str(toy.folder), "state": "downloaded"}]
    assert (toy.folder / "x.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-"]
    (toy.folder / "x.bin").write_bytes(b"short")
    assert "has 5 bytes instead of 3,000,000" in sentence(typed("data", "get", "toy", code=1)[1])
    typed("data", "get", "toy", "--force")
    assert (toy.folder / "x.bin").read_bytes() == CONTENT


def test_get_of_generated_data_has_nothing_to_do(toy: Toy, typed: Typed) -> None:
    assert json.loads(typed("data", "get", "toy", "--json")[0]) == []


def test_rehearse_writes_a_pack_that_check_looks_into(typed: Typed, tmp_path: Path) -> None:
    to = tmp_path / "rehearsal"
    words = ("data", "rehearse", "thumos-14", "--to", to, "--data", tmp_path, "--channels", 8, "--videos", 60)
    out, err = typed(*words, "--json")
    (row,) = json.loads(out)
    assert row["dataset"] == "thumos-14[features=generated]"
    assert "60 videos, snippets, 8 channels, generated annotations; about" in sentence(err)
    assert "--force" in sentence(typed(*words, code=1)[1].splitlines()[-1])
    (listed,) = (r for r in json.loads(typed("data", "list", "--json", "--data", to)[0]) if r["name"] == "thumos-14")
    assert (listed["kind"], listed["on disk"]) == ("generated", "rehearsal")
    next((to / "thumos14" / "features").glob("*.npy")).unlink()
    out, err = typed("data", "check", "thumos-14", "--data", to, "--out", tmp_path / "out", "--json", code=1)
    wrong = [finding["said"] for finding in json.loads(out)["findings"] if finding["state"] == "no"]
    assert wrong[0].startswith("1 annotated videos have no features")
    assert "class_snr" in typed("data", "rehearse", "thumos-14", "--dials")[0]


def test_how_large_a_pack_would_be_is_said_and_nothing_written(typed: Typed, tmp_path: Path, monkeypatch) -> None:
    words = ("data", "rehearse", "thumos-14-tsn", "--to", tmp_path / "to", "--data", tmp_path, "--full", "--dry")
    (row,) = json.loads(typed(*words, "--json")[0])
    assert row["bytes"] > 4.9 * row["packed"] > 10e9, "every fifth row of a file is used"
    monkeypatch.setattr("shutil.disk_usage", lambda path: namedtuple("usage", "free")(2**30))
    out, _ = typed(*words)
    assert "where 1.0 are free; make room, ask for less" in out
    assert not (tmp_path / "to").exists()


def test_what_is_scored_against_a_rehearsal_says_so(typed: Typed, tmp_path: Path) -> None:
    to = tmp_path / "rehearsal"
    typed("data", "rehearse", "thumos-14", "--to", to, "--data", tmp_path, "--channels", 8, "--videos", 12)
    name = next((to / "thumos14" / "features").glob("video_test_*.npy")).stem
    found = {"results": {name: [{"label": "action_000", "score": 0.5, "segment": [1.0, 2.0]}]}}
    (tmp_path / "found.json").write_text(json.dumps(found))
    out, _ = typed("evaluate", tmp_path / "found.json", "--dataset", "thumos-14", "--data", to, "--json")
    assert json.loads(out)["truth"] == "thumos-14[features=generated]"
