"""A cut of each paper's board on generated packs, by the commands of docs/papers.md: from packs to page and LaTeX."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from suite.cli import build
from tests.report.test_latex import COMPILERS, compiled, shutil

PIXELS = "weights= width=8 blocks=1-1-1-1 batch=2 evaluate_steps=1"
CUTS = {
    "asl": ("Table 2", {"activitynet-12": 12}, "--epochs 2", "batch=2"),
    "npl": ("Table 4", {"thumos-14-dense": 12}, "--epochs 2", "preset=small evaluate_steps=2"),
    "multi-label-detection": ("Table 9", {"ava-v2.2": 5}, "--epochs 1", PIXELS),
    "single-positive": ("EPIC-Kitchens-100-SPMV", {"epic-kitchens-100-spmv": 200}, "--epochs 2", ""),
}


def command(*words: str) -> str:
    """What a command prints."""
    result = CliRunner().invoke(build(), words)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)  # half a minute each where nothing else runs
@pytest.mark.parametrize("name", CUTS)
def test_a_cut_of_the_board_is_rehearsed_from_packs_to_page(name, tmp_path, monkeypatch):
    table, packs, length, settings = CUTS[name]
    monkeypatch.chdir(tmp_path)
    for pack, videos in packs.items():
        nothing = str(tmp_path / "nothing")
        command("data", "rehearse", pack, "--videos", str(videos), "--data", nothing, "--to", "rehearsal")
    chosen = [word for one in settings.split() for word in ("--set", one)]
    board = (f"paper:{name}", "--table", table, "--seeds", "1", *length.split(), *chosen)
    there = ("--data", "rehearsal", "--out", "out", "--json")
    before = json.loads(command("plan", *board, *there))
    assert before["todo"] > 0 and before["blocked"] == 0, before["missing"]
    done = json.loads(command("leaderboard", *board, *there, "--jobs", "1"))
    assert done["finished"] == before["todo"] and done["failed"] == 0
    assert json.loads(command("plan", *board, *there))["todo"] == 0
    folder = Path(done["page"]).parent
    page, (drawn,) = Path(done["page"]).read_text(encoding="utf-8"), folder.glob("paper-*.tex")
    cells = pl.read_csv(next(folder.glob("paper-*.csv")), infer_schema_length=None)
    assert cells["ours"].is_not_null().any() and not cells["difference"].is_not_null().any()
    assert "generated features" in page and "shortened" in page
    assert not [said for said in cells["verdict"] if said and said.startswith(("within", "above", "below"))]
    text = drawn.read_text(encoding="utf-8")
    assert "No results: generated features" in text
    if any(map(shutil.which, COMPILERS)):
        compiled(text, tmp_path)
