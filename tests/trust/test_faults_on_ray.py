"""A worker of Ray whose disk fails, fills up or takes it along in the middle of an append: nothing lost or repeated."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.trust.ray_faults import KINDS, try_on_ray
from tests.trust.test_faults_at_every_write import library  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]

TRIED = int(os.environ.get("RAY_FAULTS", "4"))  # of each mode


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_command_goes_on(library: Path, tmp_path: Path, kind: str) -> None:  # noqa: F811
    for record in try_on_ray(tmp_path, kind, library, ("once", "full", "kill"), TRIED):
        if folder := os.environ.get("SURVIVAL_RECORDS"):
            with Path(folder, "faults.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(record)) + "\n")
        assert record.tried == record.went_on + record.sentence
        assert not record.lost and not record.repeated and not record.tracebacks, record
