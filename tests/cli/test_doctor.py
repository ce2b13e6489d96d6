"""``suite doctor`` says what is there and what stands in the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suite import doctor
from suite.places import Places
from tests.cli.conftest import Typed
from tests.data.conftest import Toy, toy

__all__ = ["toy"]  # a fixture


def test_a_healthy_machine_is_ready(typed: Typed, toy: Toy) -> None:
    facts = json.loads(typed("doctor", "--json")[0])
    assert {"python", "torch", "numpy", "ray"} <= set(facts["versions"])
    assert facts["machine"]["cores"] >= 1
    assert 0 < facts["machine"]["memory_available_gib"] <= facts["machine"]["memory_gib"]
    assert facts["outputs"] | {"free_gib": 0} == {
        "folder": str(toy.root / "outputs"), "writable": True, "free_gib": 0, "runs": 0, "ledger_error": None,
    }  # fmt: skip
    assert facts["problems"] == []
    assert not (toy.root / "outputs").exists()
    text, _ = typed("doctor")
    assert "Ready." in text
    assert "a local cluster is started when it is needed" in text


def test_data_are_found_or_named(typed: Typed, toy: Toy) -> None:
    toy.card(files='[[files]]\npath = "a.bin"')
    (row,) = (row for row in json.loads(typed("doctor", "--json")[0])["data"] if row["name"] == "toy")
    assert row == {"name": "toy", "kind": "real", "ready": False, "folder": str(toy.folder), "missing": ["a.bin"]}
    (toy.folder / "a.bin").write_bytes(b"1")
    (row,) = (row for row in json.loads(typed("doctor", "--json")[0])["data"] if row["name"] == "toy")
    assert row["ready"]


def test_outputs_that_cannot_be_written_are_a_problem(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out, _ = typed("doctor", "--out", tmp_path / "file", "--json", code=1)
    (problem,) = (text for text in json.loads(out)["problems"] if "cannot be written" in text)
    assert str(tmp_path / "file") in problem
    assert "--out" in problem


def test_a_data_folder_that_is_not_there_is_a_problem(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUITE_DATA", "/nowhere/data")
    assert "SUITE_DATA names /nowhere/data" in typed("doctor", code=1)[0]


def test_every_problem_names_its_remedy(tmp_path: Path) -> None:
    facts = doctor.examine(Places(str(tmp_path)))
    facts["outputs"] |= {"writable": False, "free_gib": 0.1, "ledger_error": "it is of a later version; update."}
    facts["machine"]["memory_available_gib"] = 0.5
    facts["ray"] |= {"installed": False, "answers": False, "address": "ray:1"}
    found = doctor.problems(facts)
    assert len(found) == 6
    assert all(text.endswith(".") and ("; " in text or ": " in text) for text in found)
