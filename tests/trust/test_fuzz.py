"""Files that are almost right: read, or refused in one sentence; nothing is executed, memory is bounded."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from suite.errors import SuiteError
from tests.trust.fuzz import KINDS, Kind, bounded, mutated, note, shape_of

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
SLOW = int(os.environ.get("FUZZ_SLOW_EXAMPLES", "1500"))


def fuzz(kind: Kind, folder: Path, monkeypatch: pytest.MonkeyPatch, examples: int) -> Counter[str]:
    """What became of mutated files of a kind: ``read``, or how they were refused."""
    path = folder / f"{kind.stem}{kind.suffix}"
    kind.whole(path)
    kind.read(path)
    whole, told = path.read_bytes(), Counter[str]()

    def never(*words: object, **_: object) -> None:
        raise AssertionError(f"a file had {words} executed")

    monkeypatch.setattr(os, "system", never)
    monkeypatch.setattr(subprocess, "Popen", never)

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(mutated(whole))
    def each(data: bytes) -> None:
        path.write_bytes(data)
        try:
            with bounded():
                kind.read(path)
        except SuiteError as error:
            assert "\n" not in str(error) and len(str(error)) < 1500, error
            str(error).encode()
            told[shape_of(str(error))] += 1
        else:
            told["read"] += 1

    each()
    return told


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_mutated_file(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = fuzz(kind, tmp_path, monkeypatch, EXAMPLES)
    assert sum(told.values()) >= EXAMPLES // 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_many_mutated_files(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = fuzz(kind, tmp_path, monkeypatch, SLOW)
    if record := os.environ.get("SURVIVAL_RECORDS"):
        note(Path(record) / "fuzz.jsonl", kind.name, told)
