"""``suite predict``, ``suite export`` and what becomes of kept weights, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.cli.conftest import Typed, sentence

SMALL = "planted-verbs[train=200,validation=60,test=60,channels=8]"
QUICK = ("--set", "hidden=16", "--set", "lr=0.01", "--epochs", "2")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


def value(rows: list[dict], metric: str) -> float:
    return next(row["value"] for row in rows if row["metric"] == metric and row["threshold"] in (None, 0.5))


def test_predictions_of_kept_weights_score_what_the_run_did(typed: Typed, out: Path, tmp_path: Path):
    given = json.loads(typed("train", "mask-bce", SMALL, *QUICK, "--out", out, "--json")[0])
    recorded = [m for m in given["metrics"] if (m["split"], m["selection"]) == ("test", "validation")]
    for name in ("found.parquet", "found.csv"):
        typed("predict", given["run"], "--to", tmp_path / name, "--out", out)
        scored = json.loads(typed("evaluate", tmp_path / name, "--dataset", SMALL, "--out", out, "--json")[0])
        for metric in ("top-set", "mAP", "IoU"):
            assert value(scored["metrics"], metric) == pytest.approx(value(recorded, metric), abs=1e-6)
    np.save(tmp_path / "mine.npy", np.zeros((2, 8), dtype=np.float32))
    typed("predict", given["run"][:6], tmp_path / "mine.npy", "--to", tmp_path / "mine.json", "--out", out)
    results = json.loads((tmp_path / "mine.json").read_text())["results"]
    assert list(results) == ["00000", "00001"] and len(results["00000"]) == 40
    typed("export", given["run"], tmp_path / "model", "--out", out)
    typed(
        "predict", tmp_path / "model", tmp_path / "mine.npy", "--to", tmp_path / "again.json", "--out", tmp_path / "no"
    )
    assert (tmp_path / "again.json").read_text() == (tmp_path / "mine.json").read_text()


def test_weights_go_with_their_runs(typed: Typed, out: Path):
    run = json.loads(typed("train", "mask-bce", SMALL, *QUICK, "--out", out, "--json")[0])["run"]
    assert (out / "models" / run / "model.safetensors").is_file()
    assert "1 runs would be removed" in typed("results", "prune", "--budget", "0", "--dry-run", "--out", out)[0]
    typed("results", "prune", "--budget", "0", "--out", out)
    assert not (out / "models" / run).exists()
    text, _ = typed("train", "mask-bce", SMALL, *QUICK, "--out", out)
    assert "without its weights; --again trains it anew and keeps them" in text
    assert "--again" in sentence(typed("predict", run, "--out", out, code=2)[1])
    typed("train", "mask-bce", SMALL, *QUICK, "--out", out, "--again", "--json")
    typed("results", "delete", run, "--yes", "--out", out)
    assert not (out / "models" / run).exists()


def test_keep_none_keeps_none(typed: Typed, out: Path):
    typed("train", "mask-bce", SMALL, *QUICK, "--keep", "none", "--out", out, "--json")
    assert not (out / "models").exists()


def test_boxes_are_written_as_ava_does(typed: Typed, out: Path, tmp_path: Path):
    world = "planted-actors[train_videos=20,validation_videos=5,test_videos=5,labelled=0.5]"
    steps = ("--set", "steps=4", "--set", "semi_steps=4", "--set", "evaluate_steps=2")
    given = json.loads(typed("train", "fixmatch", world, *steps, "--out", out, "--json")[0])
    typed("predict", given["run"], "--to", tmp_path / "boxes.csv", "--out", out)
    assert len(pl.read_csv(tmp_path / "boxes.csv", has_header=False).columns) == 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing",), "is not the id of a run"),
        (("some/folder",), "no folder of a kept model"),
        (("x", "--to", "found.xlsx"), "names no form of file"),
    ],
)
def test_a_mistake_is_told_at_once(typed: Typed, out: Path, words: tuple[str, ...], said: str):
    assert said in sentence(typed("predict", *words, "--out", out, code=2)[1])
