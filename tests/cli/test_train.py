"""``suite train``, ``suite check`` and ``suite list`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from suite.cli import complete
from suite.results.ledger import Ledger
from tests.cli.conftest import Typed, sentence

SMALL = "planted-verbs[train=200,validation=60,test=60,channels=8]"
QUICK = ("--set", "hidden=16", "--set", "lr=0.01", "--epochs", "2")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


def test_a_run_is_trained_once_and_then_answered_from_the_ledger(typed: Typed, out: Path):
    first = json.loads(typed("train", "mask-bce", SMALL, *QUICK, "--out", out, "--json")[0])
    second = json.loads(typed("train", "mask-bce", SMALL, *QUICK, "--out", out, "--json")[0])
    assert first == second
    runs = Ledger(str(out / "ledger")).runs()
    assert runs.select("method", "status", "seed").rows() == [("mask-bce", "finished", 0)]
    assert {m["selection"] for m in first["metrics"]} == {"validation", "last", "oracle"}
    text, _ = typed("train", "mask-bce", SMALL, *QUICK, "--out", out)
    assert "--again trains it anew" in text
    assert first["run"] in text
    shown, _ = typed("results", "show", first["run"], "--out", out)
    assert "carried" in shown and "solo" in shown


PRESETS = """
from methods.recognition.assume_negative import AssumeNegative


class Recipes(AssumeNegative):
    name, title, aliases = "recipes", "Recipes", ("rec",)
    presets = {"recommended": {"hidden": 16, "lr": 0.01}, "published": {"hidden": 8}}
    published_selection = "oracle"
"""


def test_the_first_line_names_method_preset_and_changes(typed: Typed, out: Path, tmp_path: Path):
    (tmp_path / "recipes.py").write_text(PRESETS)
    words = ("train", "REC", SMALL, "--methods", tmp_path / "recipes.py", "--epochs", 1, "--out", out)
    text, _ = typed(*words)
    assert text.splitlines()[0] == "recipes (Recipes), preset recommended, --epochs 1"
    lines = text.splitlines()
    assert "oracle: the epoch was chosen on test data itself; no honest number." in lines
    assert lines[2].split() == ["metric", "validation", "last", "oracle"]
    assert lines[3].split()[0] == "top-set"  # the headline comes first
    assert "weights: " in text and "next: suite predict " in text
    text, _ = typed(*words, "--preset", "published", "--set", "lr=0.02")
    first, second = text.splitlines()[:2]
    assert first == "recipes (Recipes), preset published, lr=0.02, --epochs 1"
    assert second == "the authors report the epoch best on test data: see column oracle."
    given = json.loads(typed(*words, "--set", "preset=published", "--set", "lr=0.02", "--json")[0])
    assert (given["method"], given["preset"], given["changed"]) == ("recipes", "published", {"lr": 0.02})
    shown, _ = typed("results", "show", given["run"], "--out", out)
    assert shown.splitlines()[:2] == [first, second]
    listed = json.loads(typed("results", "list", "--method", "rec", "--out", out, "--json")[0])
    assert {row["method"] for row in listed} == {"recipes"}


def test_listings_name_presets_and_aliases(typed: Typed, tmp_path: Path):
    (tmp_path / "recipes.py").write_text(PRESETS)
    words = ("list", "methods", "--task", "recognition", "--methods", tmp_path / "recipes.py")
    assert "recommended*, published" in typed(*words)[0]
    (row,) = [m for m in json.loads(typed(*words, "--json")[0]) if m["name"] == "recipes"]
    assert row["aliases"] == ["rec"]
    assert row["presets"]["published"] == {"hidden": 8}
    assert (row["default_preset"], row["published_selection"]) == ("recommended", "oracle")


def test_completion_knows_aliases_and_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "recipes.py").write_text(PRESETS)
    monkeypatch.setenv("SUITE_METHODS", str(tmp_path / "recipes.py"))
    assert complete.methods("rec") == ["rec", "recipes"]
    assert complete.presets(SimpleNamespace(params={}, args=["rec", "planted-verbs"]), "pu") == ["published"]
    assert complete.presets(SimpleNamespace(params={"method": "unknown"}, args=[]), "") == []


def test_a_malformed_preset_is_told_in_one_sentence(typed: Typed, tmp_path: Path):
    (tmp_path / "recipes.py").write_text(PRESETS.replace('"hidden": 8', '"hiden": 8'))
    _, err = typed("check", "recipes", "--methods", tmp_path / "recipes.py", code=2)
    assert "recipes, preset published: there is no parameter 'hiden'; did you mean 'hidden'?" in sentence(err)


def test_a_run_trained_again_has_the_same_numbers(typed: Typed, out: Path):
    words = ("train", "assume-negative", SMALL, *QUICK, "--out", out, "--json")
    first, again = json.loads(typed(*words)[0]), json.loads(typed(*words, "--again")[0])
    assert first == again


def test_the_seed_and_a_parameter_make_other_runs(typed: Typed, out: Path):
    runs = {
        json.loads(typed("train", "assume-negative", SMALL, *QUICK, *extra, "--out", out, "--json")[0])["run"]
        for extra in ((), ("--seed", "1"), ("--set", "batch=32"))
    }
    assert len(runs) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mask-bec", SMALL), "no method is called 'mask-bec'; did you mean 'mask-bce'?"),
        (("dgam", "planted-videos"), "dgam is known by its published numbers only"),
        (("mask-bce", "planted-verb"), "did you mean 'planted-verbs'?"),
        (("mask-bce", SMALL, "--set", "neighbors=3"), "did you mean 'neighbours'?"),
        (("mask-bce", SMALL, "--set", "lr=much"), "is not of type float"),
        (("mask-bce", SMALL, "--set", "tau=7"), "out of range"),
        (("mask-bce", SMALL, "--set", "tau"), "not of the form name=value"),
        (("mask-bce", "planted-verbs[snrr=3]"), "did you mean 'snr'?"),
        (("mask-bce", "planted-verbs[snr=-3]"), "snr"),
        (("mask-bce", "planted-videos"), "is a method for recognition, but planted-videos is a dataset for"),
        (("mask-bce", SMALL, "--protocol", "other"), "other"),
        (("mask-bce", SMALL, "--precision", "int4"), "use float32, bfloat16 or float16"),
        (("mask-bce", SMALL, "--gpu"), "torch sees no CUDA device"),
        (("mask-bce", SMALL, "--methods", "nowhere.py"), "there is no Python file"),
        (("mask-bce", SMALL, "--preset", "other"), "preset=other is not a choice; use one of"),
        (("mask-bce", SMALL, "--preset", "a", "--set", "preset=b"), "--preset a contradicts --set preset=b"),
        (("planted-posterior", SMALL, "--set", "preset=b"), "planted-posterior has no presets; leave preset=b out"),
        (("mask-bce",), ""),
        (("mask-bce", SMALL, "--seed", "x"), ""),
    ],
)
def test_a_mistake_is_told_at_once(typed: Typed, out: Path, words: tuple[str, ...], said: str):
    _, err = typed("train", *words, "--out", out, code=2)
    if said:
        assert said in sentence(err)
    assert "Traceback" not in err
    assert not (out / "ledger").exists()


def test_a_failed_run_is_a_row_with_its_error(typed: Typed, out: Path):
    words = ("train", "assume-negative", SMALL, "--set", "hidden=16", "--set", "lr=1.0", "--set", "batch=2")
    broken = Path(__file__).parent / "diverging.py"
    _, err = typed("train", "diverging", SMALL, "--methods", broken, "--epochs", 2, "--out", out, code=1)
    assert "the loss 'cross-entropy' is nan" in sentence(err)
    typed(*words, "--epochs", 1, "--out", out, "--json")
    rows = Ledger(str(out / "ledger")).runs().sort("method").select("method", "status").rows()
    assert rows == [("assume-negative", "finished"), ("diverging", "failed")]


def test_a_failed_run_is_tried_again(typed: Typed, out: Path):
    broken = Path(__file__).parent / "diverging.py"
    for _ in range(2):
        typed("train", "diverging", SMALL, "--methods", broken, "--epochs", 1, "--out", out, code=1)
    assert Ledger(str(out / "ledger")).finished() == set()


def test_an_unwritable_output_folder_is_told(typed: Typed, tmp_path: Path):
    (tmp_path / "file").write_text("")
    _, err = typed("train", "assume-negative", SMALL, *QUICK, "--out", tmp_path / "file" / "below", code=2)
    assert "choose another folder with --out" in err
    assert str(tmp_path / "file") in sentence(err)


def test_missing_real_data_is_told_with_the_way_to_get_it(typed: Typed, out: Path, tmp_path: Path):
    _, err = typed("train", "assume-negative", "yeast", "--out", out, "--data", tmp_path, code=1)
    assert "yeast" in sentence(err)


def test_check_tells_of_a_method_that_keeps_the_contract(typed: Typed, out: Path):
    small = ("--set", "preset=published", "--set", "hidden=16", "--set", "lr=0.01", "--dataset", SMALL)
    text, _ = typed("check", "assume-negative", *small, "--out", out)
    lines = text.strip().splitlines()
    assert lines[0].startswith("assume-negative (AN), preset published, lr=0.01, hidden=16 on planted-verbs[train=200")
    assert len(lines) == 10
    assert all(line.startswith("yes") for line in lines[1:])


def test_check_says_what_a_broken_method_lacks(typed: Typed, out: Path):
    broken = Path(__file__).parent / "diverging.py"
    text, err = typed("check", "forgetful", "--methods", broken, "--dataset", SMALL, "--out", out, code=1)
    findings = dict(line[6:].split(": ", 1) for line in text.splitlines() if line.startswith("NO"))
    assert "run.memory" in findings["resumes to the same bytes after a stop"]
    assert "source or help" in findings["says where its hyper-parameters come from"]
    assert "2 of 9" in err


def test_check_looks_into_a_dataset(typed: Typed, out: Path):
    found = json.loads(typed("check", SMALL, "--out", out, "--json")[0])
    assert found["dataset"] == SMALL
    assert len(found["findings"]) == 8
    assert any({"random", "majority", "ceiling"} < set(one["facts"]) for one in found["findings"])
    assert "did you mean 'planted-verbs'" in sentence(typed("check", "planted-verb", "--out", out, code=2)[1])


def test_listings_have_json(typed: Typed):
    methods = json.loads(typed("list", "methods", "--task", "recognition", "--json")[0])
    assert {"mask-bce", "pseudo-single-bce", "assume-negative"} <= {m["name"] for m in methods}
    assert {m["task"] for m in methods} == {"recognition"}
    assert methods[0]["hyper_parameters"]
    assert all(m["unknown_labels"] for m in methods)
    published = {row["name"]: row for row in json.loads(typed("list", "published", "--json")[0])}
    assert {"maan", "dgam", "tscn"} <= set(published)
    assert published["dgam"]["task"] == "weak-localization"
    for kind in ("datasets", "tasks", "leaderboards", "sweeps"):
        assert all("name" in row for row in json.loads(typed("list", kind, "--json")[0]))
        assert typed("list", kind)[0]


def test_every_command_teaches(typed: Typed):
    text, _ = typed("--help")
    for command in (
        "train",
        "sweep",
        "leaderboard",
        "results",
        "evaluate",
        "data",
        "check",
        "list",
        "doctor",
        "plan",
        "new",
    ):
        assert command in text
        assert "--help" in typed(command, "--help")[0]


def test_the_curves_are_kept(typed: Typed, out: Path):
    run = json.loads(typed("train", "pseudo-single-bce", SMALL, *QUICK, "--out", out, "--json")[0])["run"]
    curves = Ledger(str(out / "ledger")).curves().filter(pl.col("run") == run)
    assert {"train", "validation", "test"} <= set(curves["split"])
    assert curves["epoch"].max() == 2


def test_classes_that_no_labelled_video_shows_are_told(typed: Typed, out: Path):
    world = "planted-videos[videos=24,video_seconds=15,classes=20,labelled=0.05,stratified=false]"
    tiny = [f"--set={s}" for s in ("preset=small", "embedding=16", "steps=2", "semi_steps=2", "evaluate_steps=4")]
    _, told = typed("train", "actionformer", world, "--protocol", "supervised", *tiny, "--out", out)
    assert "no labelled sample shows" in told
    assert "stratified=true draws all classes" in told
    ledger = Ledger(str(out / "ledger"))
    noted = ledger.curves(ledger.runs()["run"].to_list()).filter(pl.col("metric") == "classes without a label")
    assert noted["value"].to_list() == [11.0]
