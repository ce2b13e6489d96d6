"""A board and a sweep at work on one ledger at the same time: what both want is trained once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.work.drivers import WORLD, Driver, board

SWEEP = f"""
name = "beside"
methods = ["toy"]
datasets = ["{WORLD}"]
sampler = "grid"
seeds = 3

[params]
seconds = 0.6
epochs = 2

[space]
extra = [3, 4]
"""


@pytest.mark.slow
def test_a_board_and_a_sweep_share_the_runs_that_both_want(tmp_path: Path) -> None:
    (tmp_path / "beside.toml").write_text(SWEEP)
    (tmp_path / "log").mkdir()
    outputs = {"SUITE_OUTPUTS": str(tmp_path / "outputs")}
    first = Driver(tmp_path, ["leaderboard", board(tmp_path, seeds=6), "--jobs", "1", "--json"], **outputs)
    second = Driver(tmp_path / "log", ["sweep", str(tmp_path / "beside.toml"), "--jobs", "1", "--json"], **outputs)
    assert first.end() == 0 and second.end() == 0, first.said() + second.said()
    finished = first.finished()
    assert set(finished.values()) == {1}, "no run is trained twice"
    assert len(finished) == 9, "six seeds of the default, three of them in the sweep, too, and three of another value"
