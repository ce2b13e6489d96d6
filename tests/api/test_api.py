"""The library: the same runs, records and errors as the command line; nothing leaves it unannounced."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

import suite
from suite.errors import UsageError
from tests.cli.conftest import Typed, typed  # noqa: F401

CLIPS = "planted-verbs[train=200,validation=60,test=60,channels=8]"
SMALL = {"hidden": 16, "lr": 0.01}

# What others may rely on. Whoever removes or renames something here says so in CHANGELOG.
PUBLIC = {
    "Board": {"page", "runs", "tables"},
    "Model": {"classes", "predict", "predict_dataset"},
    "Predicted": {"classes", "probabilities", "rows", "to_frame", "write"},
    "SuiteError": set(),
    "Sweep": {"best", "figures", "page", "trials"},
    "Trained": {"classes", "curves", "figure", "headline", "ledger", "metrics", "model", "predictions"},
    "__version__": set(),
    "evaluate": {"path", "out", "data", "against"},
    "leaderboard": {"name", "table", "jobs", "threads", "gpu", "workers", "packed", "keep", "log", "run"},
    "load": {"what", "selection", "gpu", "out", "data", "methods"},
    "results": {"out", "all_attempts"},
    "sweep": {
        "what",
        "dataset",
        "over",
        "trials",
        "hours",
        "epochs",
        "seeds",
        "sampler",
        "pruner",
        "objective",
        "jobs",
    },
    "train": {"method", "dataset", "preset", "seed", "epochs", "protocol", "precision", "workers", "gpu", "threads"},
}


def test_nothing_leaves_the_public_interface_unannounced():
    assert set(suite.__all__) == set(PUBLIC)
    for name, members in PUBLIC.items():
        thing = getattr(suite, name)
        if isinstance(thing, type):
            assert members <= set(dir(thing)), name
        elif name != "__version__":
            assert members <= set(inspect.signature(thing).parameters), name
            assert thing is getattr(suite, name)
    assert set(suite.__all__) <= set(dir(suite))
    with pytest.raises(AttributeError, match="no attribute 'tarin'"):
        _ = suite.tarin


def test_packages_go_on_as_packages():
    from suite.evaluate import temporal_map
    from suite.train.loop import Loop

    assert isinstance(suite.train, ModuleType) and suite.train.loop.Loop is Loop
    assert suite.evaluate.temporal_map is temporal_map
    assert (Path(suite.__file__).parent / "py.typed").is_file()


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_loads_nothing_heavy():
    heavy = "[name for name in ('torch', 'ray', 'polars', 'numba', 'pydantic', 'typer') if name in sys.modules]"
    assert python(f"import sys, suite, suite.evaluate; print({heavy})").strip() == "[]"


def test_the_evaluator_alone_needs_neither_torch_nor_ray():
    code = """
import sys
sys.modules.update(dict.fromkeys(("torch", "ray", "optuna", "deltalake", "typer", "pydantic")))  # importing them fails
from suite.evaluate import THUMOS_213, Segments, temporal_map
truth = Segments(video=[0], label=[0], start=[0], end=[10])
print(temporal_map(truth, Segments([0], [0], [0], [10], [0.9]), THUMOS_213.at(0.5)).map_per_tiou[0])
"""
    assert float(python(code)) == 1.0


def test_a_run_is_the_command_lines(tmp_path: Path, typed: Typed):  # noqa: F811
    run = suite.train("mask-bce", CLIPS, epochs=2, out=tmp_path, **SMALL)
    words = ("train", "mask-bce", CLIPS, "--epochs", 2, "--set", "hidden=16", "--set", "lr=0.01", "--out", tmp_path)
    given = json.loads(typed(*words, "--json")[0])
    assert given["run"] == run.run
    table = run.metrics()
    assert table.columns == ["metric", "threshold", "validation", "last", "oracle"]
    assert table["metric"][0] == "top-set" and table["validation"][0] == run.headline
    shown = [m for m in given["metrics"] if (m["metric"], m["split"], m["selection"]) == ("mAP", "test", "oracle")]
    assert table.filter(metric="mAP")["oracle"].to_list() == [m["value"] for m in shown]
    assert run.run in run._repr_html_() and "<table" in run._repr_html_()
    assert run.run in repr(run)
    assert len(run.predictions()) == 60 and len(run.classes()) and run.figure() is not None
    listed = suite.results(out=tmp_path)
    assert listed.select("run", "score").rows() == [(run.run, run.headline)]
    features = np.zeros((2, 8), dtype=np.float32)
    first, second = (one.predict(features).probabilities() for one in (run.model(), suite.load(run.run, out=tmp_path)))
    np.testing.assert_array_equal(first, second)


def test_predictions_are_scored_as_the_run_was(tmp_path: Path):
    run = suite.train("mask-bce", CLIPS, epochs=2, out=tmp_path, **SMALL)
    file = run.model().predict_dataset(places=run.places).write(str(tmp_path / "found.parquet"))
    scored = suite.evaluate(file, dataset=CLIPS, out=tmp_path, resamples=0)
    values = dict(scored.metrics.select("metric", "value").rows())
    assert values["top-set"] == pytest.approx(run.headline)
    assert "top-set" in scored._repr_html_()


def test_errors_are_those_of_the_command_line(tmp_path: Path):
    with pytest.raises(suite.SuiteError, match="did you mean 'mask-bce'"):
        suite.train("mask-bec", CLIPS, out=tmp_path)
    with pytest.raises(UsageError, match="no parameter 'neighbors'; did you mean 'neighbours'"):
        suite.train("mask-bce", CLIPS, neighbors=3, out=tmp_path)
    with pytest.raises(UsageError, match="is not the id of a run"):
        suite.load("0000", out=tmp_path)
    with pytest.raises(UsageError, match="there is no leaderboard"):
        suite.leaderboard("quik", out=tmp_path)


def test_a_training_can_be_watched_and_stopped(tmp_path: Path):
    seen: list[int] = []

    def watch(progress: object) -> bool:
        seen.append(progress.done)  # type: ignore[attr-defined]
        return len(seen) < 2

    with pytest.raises(UsageError, match="the same call goes on"):
        suite.train("mask-bce", CLIPS, epochs=4, out=tmp_path, watch=watch, **SMALL)
    run = suite.train("mask-bce", CLIPS, epochs=4, out=tmp_path, watch=lambda p: seen.append(p.done), **SMALL)
    assert seen == [1, 2, 3, 4]
    whole = suite.train("mask-bce", CLIPS, epochs=4, out=tmp_path / "other", **SMALL)
    assert run.headline == whole.headline


BOARD = """
name = "two"
title = "Two"

[[tables]]
title = "Two methods"
datasets = ["{}"]
methods = ["mask-bce", "assume-negative"]
seeds = 1
epochs = 2
params = {{ preset = "recommended", hidden = 16 }}
metrics = ["top-set", "mAP"]
"""


def test_a_board_is_an_object(tmp_path: Path):
    (tmp_path / "two.toml").write_text(BOARD.format(CLIPS))
    empty = suite.leaderboard(str(tmp_path / "two.toml"), run=False, out=tmp_path / "out")
    assert len(empty.runs) == 0
    board = suite.leaderboard(str(tmp_path / "two.toml"), out=tmp_path / "out", keep="selected")
    assert sorted(board.runs["method"]) == ["assume-negative", "mask-bce"]
    assert len(list((tmp_path / "out" / "models").iterdir())) == 2
    assert "top-set" in board.tables()[0] and "Mask BCE" in board._repr_html_()
    assert board.page().is_file()


def test_runs_are_chosen_and_sorted(tmp_path: Path, typed: Typed):  # noqa: F811
    for seed in range(3):
        suite.train("mask-bce", CLIPS, epochs=2, seed=seed, out=tmp_path, keep="none", **SMALL)
    words = ("results", "list", "--out", tmp_path, "--json")
    scores = [row["score"] for row in json.loads(typed(*words, "--sort=-score")[0])]
    assert scores == sorted(scores, reverse=True) and len(scores) == 3
    rows = json.loads(typed(*words, "--where", "seed>0", "--where", "params.hidden=16", "--limit", "1")[0])
    assert [row["seed"] for row in rows] == [1]
    assert json.loads(typed(*words, "--where", "dataset~hapt")[0]) == []
    assert "did you mean 'score'" in typed(*words, "--sort", "scor", code=2)[1]
    assert "is no condition" in typed(*words, "--where", "seed", code=2)[1]
    assert isinstance(suite.results(out=tmp_path), pl.DataFrame)


@pytest.mark.slow
def test_a_sweep_is_an_object(tmp_path: Path):
    found = suite.sweep(
        "mask-bce", CLIPS, over={"lr": (0.001, 0.1), "tau": [0.1, 0.2]}, trials=2, epochs=2, seeds=1, jobs=1,
        hidden=16, out=tmp_path, keep="selected", log=["csv"],
    )  # fmt: skip
    trials = found.trials()
    assert trials["state"].to_list() == ["complete", "complete"]
    assert {"lr", "tau", "runs"} <= set(trials.columns)
    assert set(found.best()) >= {"lr", "tau"}
    assert len(found.figures()) == 2 and found.page().is_file() and "<table" in found._repr_html_()
    runs = {run for runs in trials["runs"] for run in runs}
    assert {path.name for path in (tmp_path / "models").iterdir()} == runs
    assert {path.stem for path in (tmp_path / "tracking" / "csv").iterdir()} == runs
