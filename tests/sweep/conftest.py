"""A toy method, a tiny world and sweeps that run in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from suite.places import Places
from suite.results.ledger import Ledger
from suite.spec.base import validate
from suite.spec.sweep import SweepSpec
from suite.sweep.source import SweepSource
from suite.sweep.trials import TrialPerformer
from suite.work.worker import Worker

TOY = Path(__file__).with_name("toy.py")
WORLD = "planted-verbs[train=40,validation=100,test=50,verbs=8]"


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SUITE_METHODS", str(TOY))
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    yield


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(str(tmp_path / "outputs"))


def sweep(**values: Any) -> SweepSpec:
    """A sweep of the toy."""
    base: dict[str, Any] = {"name": "toys", "methods": ["toy"], "datasets": [WORLD], "space": {"q": {}, "beta": {}}}
    return validate(SweepSpec, {**base, **values}, "the test")


def run_here(spec: SweepSpec, places: Places, works: int = 10_000, packable: Sequence[bool] = ()) -> SweepSource:
    """Carry out ``works`` items in this process, then leave as a killed driver would: without a word."""
    source = SweepSource(spec, places, packable)
    worker = Worker("w", source, TrialPerformer(spec, places, source))
    for _ in range(works):
        if not worker.step():
            break
    return source


def rows(places: Places) -> list[dict[str, Any]]:
    """Every attempt in the ledger, oldest first."""
    return Ledger(places.ledger).runs(all_attempts=True).to_dicts()
