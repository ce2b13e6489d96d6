"""A sweep whose ledger is on an object store: resumed from there, nothing twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from suite.places import Places
from suite.results.ledger import Ledger
from tests.results.test_remote import bucket  # noqa: F401  (a fixture)
from tests.sweep.conftest import run_here, sweep


def test_a_sweep_into_a_bucket_goes_on_where_it_was(
    bucket: Mapping[str, str],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in bucket.items():
        monkeypatch.setenv(name, value)
    places = Places("s3://lab/outputs")
    spec = sweep(space={"q": [0.1, 0.2, 0.6]}, sampler="grid", default=False)
    run_here(spec, places, works=2)
    coordinator = run_here(spec, places)
    assert coordinator.settled()
    runs = Ledger(places.ledger).runs(all_attempts=True)
    assert len(runs) == 3 and set(runs["status"]) == {"finished"}
