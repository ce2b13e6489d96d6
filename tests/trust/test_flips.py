"""One flipped bit in any file of an output folder is harmless or found; there are no other numbers without a word."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from suite.places import Places
from suite.results.ledger import Ledger
from suite.results.repair import repair
from suite.work.beside import set_aside_damaged
from tests.trust.flips import FOUND, KINDS, Kind, flip, make

FEW, MANY = 12, 400


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("flips") / "outputs"
    make(made)
    return made


def test_a_whole_folder_is_left_alone(outputs: Path) -> None:
    assert repair(Ledger.of(outputs)).whole and not set_aside_damaged(Places(str(outputs))).files


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_flipped_bit_is_harmless_or_found(outputs: Path, kind: Kind) -> None:
    told = flip(kind, outputs, FEW)
    assert set(told) <= {"equal", FOUND}, told


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.repaired], ids=lambda kind: kind.name)
def test_repair_finds_it(outputs: Path, tmp_path: Path, kind: Kind) -> None:
    damaged = Path(shutil.copytree(outputs, tmp_path / "outputs"))
    file = kind.files(damaged)[0]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    found = repair(Ledger.of(damaged)), set_aside_damaged(Places(str(damaged)))
    named = [*found[0].files, *found[1].files]
    assert any(str(file).startswith(one) for one in named), named
    assert repair(Ledger.of(damaged)).whole and not set_aside_damaged(Places(str(damaged))).files


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_hundreds_of_flipped_bits(outputs: Path, kind: Kind) -> None:
    told = flip(kind, outputs, MANY, seed=1)
    if folder := os.environ.get("SURVIVAL_RECORDS"):
        with Path(folder, "flips.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind.name, "told": told, "repaired": kind.repaired}) + "\n")
    assert set(told) <= {"equal", FOUND}, told
