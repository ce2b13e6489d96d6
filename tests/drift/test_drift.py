"""Small runs give the numbers that were agreed on; the file that holds them changes only with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.drift.runs import FILE, RUNS, measured

CHANGELOG = Path(__file__).resolve().parents[2] / "CHANGELOG.md"
TOLERANCE = {"metric": 0.015, "loss": 1e-3}
"""Sums are taken in another order on other processors and by other versions of libraries: a metric moves where a score
lies that near to another, by one sample of a hundred at the most; losses move by a share of their size."""


def plain(text: str) -> str:
    """``text`` without line breaks."""
    return " ".join(text.split())


def agreed() -> dict[str, dict[str, float]]:
    """The numbers in the file."""
    found: dict[str, dict[str, float]] = json.loads(FILE.read_text(encoding="utf-8"))["numbers"]
    return found


def allowed(key: str, value: float) -> float:
    """By how much a number may differ."""
    return TOLERANCE["loss"] * max(1.0, abs(value)) if key.startswith("loss") else TOLERANCE["metric"]


SLOW = ("npl", "supervised-actors", "fixmatch-actors")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in RUNS])
def test_numbers_are_those_agreed_on(name: str, tmp_path: Path) -> None:
    found, wanted = measured(name, tmp_path), agreed()[name]
    assert found.keys() == wanted.keys()
    moved = {
        key: (wanted[key], found[key]) for key in wanted if abs(found[key] - wanted[key]) > allowed(key, wanted[key])
    }
    assert not moved, f"{moved}: where that is meant, say why in CHANGELOG.md and run python -m tests.drift REASON"


def test_the_last_change_has_its_reason_in_the_changelog() -> None:
    content = json.loads(FILE.read_text(encoding="utf-8"))
    assert content["reason"] and plain(content["reason"]) in plain(CHANGELOG.read_text(encoding="utf-8"))
    assert content["tolerance"] == TOLERANCE and content["numbers"].keys() == RUNS.keys()
