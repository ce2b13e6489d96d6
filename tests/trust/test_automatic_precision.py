"""Every method trains in automatic half precision: no loss leaves the range of float16."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.places import Places
from suite.registry import methods
from suite.runs import resolve_run
from suite.work.execute import execute
from suite.work.machine import Machine
from tests.models.worlds import small_of

# Their losses are not finite where their inputs are in float16.
NARROW = ("em-mil", "action-selection", "w-talc")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in NARROW else pytest.mark.slow) for name in sorted(methods())]
)
def test_a_small_run_ends_well(name: str, tmp_path: Path) -> None:
    small = small_of(name)
    spec = resolve_run(small.method, small.dataset, small.params, epochs=small.epochs, precision="float16")
    run = execute(spec, Places(str(tmp_path)), machine=Machine(checkpoints=False)).run
    assert run["status"] == "finished", run["error"]
