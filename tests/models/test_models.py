"""Kept weights predict what their run recorded, and load without the data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from safetensors.torch import load_file

from suite.data import load
from suite.errors import DataError, UsageError
from suite.models import tidy
from suite.models.export import export_model
from suite.models.folder import ModelFolder, kept_models
from suite.models.model import Model, load_model
from suite.places import Places
from suite.registry import method as find_method
from suite.results.ledger import Ledger
from suite.runs import resolve_run
from suite.train.start import method_of
from suite.train.storage.reporter import Calling, Silent
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.packing import run_packed
from suite.work.record import settle
from tests.models.worlds import CLIPS, RUNS, Small, trained


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(str(tmp_path_factory.mktemp("outputs")))


@pytest.fixture(scope="module")
def runs(places: Places) -> dict[str, str]:
    """The id of a run of each kind, all weights kept."""
    return {name: trained(small, places).id for name, small in RUNS.items()}


def same(model: Model, places: Places, run: str, selection: str) -> bool:
    """Whether ``model`` predicts the very rows that the ledger holds of its run."""
    for split in ("validation", "test"):
        found = pl.from_arrow(model.predict_dataset(split=split, places=places).rows())
        held = Ledger(places.ledger).predictions(run, split, selection).select(found.columns)
        if not found.equals(held.cast(found.schema)):
            return False
    return True


@pytest.mark.parametrize("name", RUNS)
def test_kept_weights_predict_what_the_run_recorded(name: str, runs: dict[str, str], places: Places):
    torch.set_num_threads(1)
    for selection in ("validation", "last", "oracle"):
        model = load_model(runs[name], places, selection)
        assert same(model, places, runs[name], selection)
    changed = {
        key: value + 0.5 if value.is_floating_point() else value for key, value in model.network.state_dict().items()
    }
    model.network.load_state_dict(changed)
    assert not same(model, places, runs[name], "oracle")


def test_a_model_needs_neither_its_data_nor_its_ledger(runs: dict[str, str], places: Places, tmp_path: Path):
    shutil.copytree(places.local / "models" / runs["recognition"], tmp_path / "model")
    model = load_model(tmp_path / "model", Places(str(tmp_path / "nowhere"), str(tmp_path / "no data")))
    features = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    found = model.predict(features, ids=list("abcde"))
    frame = found.to_frame()
    assert frame.columns == ["item", *model.classes]
    assert frame["item"].to_list() == list("abcde")
    with torch.no_grad():
        logits = model.network(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(found.probabilities(), 1 / (1 + np.exp(-logits.astype(float))), rtol=1e-6)
    assert "verb-00" in found._repr_html_()


@pytest.mark.parametrize("name", ["weak-localization", "semi-localization"])
def test_segments_of_new_videos_lie_where_the_snippets_do(name: str, runs: dict[str, str], places: Places):
    model = load_model(runs[name], places)
    recorded = model.predict_dataset(places=places)
    videos = recorded.samples
    given = {str(video): np.array(videos.features(place)) for place, video in enumerate(videos.ids)}
    found = model.predict(given)
    ends = dict(zip(videos.ids.tolist(), videos.duration.tolist()))
    assert len(found.to_frame()) and all(
        e <= ends[i] + 1.0 for i, e in found.to_frame().select("item", "end").iter_rows()
    )
    np.testing.assert_allclose(np.sort(found.predictions.score), np.sort(recorded.predictions.score), rtol=1e-5)
    slower = model.predict(given, fps=model.config["form"]["timing"]["fps"] / 2)
    np.testing.assert_allclose(slower.predictions.start.max(), 2 * found.predictions.start.max(), rtol=0.2)


def test_people_and_their_features(runs: dict[str, str], places: Places):
    model = load_model(runs["actor-detection"], places)
    people = model.predict_dataset(places=places).samples
    found = model.predict(np.array(people.features))
    np.testing.assert_array_equal(found.probabilities(), model.predict_dataset(places=places).probabilities())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((3, 7)), "the model takes (8,)"),
        (np.full((3, 8), np.nan), "finite"),
        (np.array([["a"] * 8]), "features are numbers"),
    ],
)
def test_features_of_another_form_are_refused(given: Any, said: str, runs: dict[str, str], places: Places):
    with pytest.raises((UsageError, DataError), match=said.replace("(", r"\(").replace(")", r"\)")):
        load_model(runs["recognition"], places).predict(given)


def test_the_folder_is_what_the_hub_takes(runs: dict[str, str], places: Places, tmp_path: Path):
    other = trained(RUNS["recognition"], places, "none", seed=1)
    assert other.id not in kept_models(places)
    folder = export_model(kept_models(places)[runs["recognition"]], Ledger(places.ledger), tmp_path / "model")
    text = (folder / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert (front["library_name"], front["license"]) == ("weak-action-suite", "apache-2.0")
    results = {row["type"]: row["value"] for row in front["model-index"][0]["results"][0]["metrics"]}
    held = (
        Ledger(places.ledger).metrics([runs["recognition"]]).filter(split="test", selection="validation", metric="mAP")
    )
    assert results["mAP"] == pytest.approx(held.filter(pl.col("label") == "")["value"][0])
    assert "2 seeds" in text and " ± " in text and "§3.1; 15 in the released code" in text and "verb-07" in text
    config = json.loads((folder / "config.json").read_text())
    assert config["run"] == runs["recognition"]
    assert set(load_file(folder / "model.safetensors")) == set(load_model(folder).network.state_dict())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    with pytest.raises(UsageError, match="other files"):
        export_model(ModelFolder(folder), Ledger(places.ledger), tmp_path / "full")


def test_what_is_kept_is_as_asked_and_names_no_run(places: Places):
    ids = {trained(RUNS["recognition"], places, keep, seed=2).id for keep in ("last", "selected", "all")}
    (run,) = ids
    assert list(kept_models(places)[run].config["selections"]) == ["validation", "last", "oracle"]


def test_runs_trained_as_a_stack_keep_each_its_own(places: Places):
    specs = [resolve_run("mask-bce", CLIPS, {"hidden": 16, "lr": lr}, epochs=4) for lr in (0.001, 0.03)]
    outcomes = run_packed(specs, places, Machine(keep="selected"), "", Silent())
    assert all(outcome is not None and outcome.run["carried"] == "packed" for outcome in outcomes)
    for outcome in outcomes:
        settle(outcome, Ledger(places.ledger), places)
        found = load_model(outcome.id, places).predict_dataset(places=places).predictions.logits
        held = Ledger(places.ledger).predictions(outcome.id)["scores"].to_list()
        np.testing.assert_allclose(found, np.array(held), atol=1e-4)


def test_weights_chosen_before_an_interruption_are_kept(tmp_path: Path):
    """Stopped after its best epoch and resumed: the weights are those of that epoch, out of the checkpoint."""
    places = Places(str(tmp_path))
    spec = resolve_run("mask-bce", CLIPS, {"hidden": 16, "lr": 0.3, "evaluate_every": 1}, epochs=8)
    whole = execute(spec, Places(str(tmp_path / "whole")), machine=Machine(keep="all"))
    best = whole.extra["kept"].places["validation"]["epoch"]
    assert best < 8, "choose a world where validation prefers an early epoch"
    stopped = execute(spec, places, Calling(lambda progress: progress.epoch <= best), Machine(keep="all"))
    assert not stopped.extra["complete"]
    resumed = execute(spec, places, machine=Machine(keep="all"))
    for selection, weights in whole.extra["kept"].weights.items():
        for name, tensor in resumed.extra["kept"].weights[selection].items():
            assert torch.equal(tensor, weights[name])


def test_a_training_that_began_without_keeping_says_what_it_lacks(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    places = Places(str(tmp_path))
    spec = resolve_run("mask-bce", CLIPS, {"hidden": 16, "lr": 0.3, "evaluate_every": 1}, epochs=8)
    execute(spec, places, Calling(lambda progress: progress.epoch < 7), Machine())
    outcome = execute(spec, places, machine=Machine(keep="selected"))
    with caplog.at_level("WARNING", logger="suite"):
        settle(outcome, Ledger(places.ledger), places)
    assert "--again trains it anew" in caplog.text
    with pytest.raises(UsageError, match="--again"):
        load_model(outcome.id, places)


def test_a_budget_removes_the_oldest(tmp_path: Path):
    places = Places(str(tmp_path))
    first, second = (trained(RUNS["recognition"], places, "selected", seed=seed).id for seed in (0, 1))
    size = kept_models(places)[second].size
    assert list(tidy.prune(places, size, {first, second}, dry=True).removed) == [first]
    assert set(kept_models(places)) == {first, second}
    tidy.prune(places, size, {first, second})
    assert set(kept_models(places)) == {second}
    assert not tidy.prune(places, 10**9, set()).removed  # its row may still be on its way
    assert list(tidy.prune(places, 10**9, set(), orphan_seconds=-1).removed) == [second]  # no run is left of it
    assert tidy.parse_size("1.5 GB") == 1_500_000_000
    with pytest.raises(UsageError, match="no size"):
        tidy.parse_size("much")


def test_a_damaged_model_is_told(runs: dict[str, str], places: Places, tmp_path: Path):
    folder = shutil.copytree(places.local / "models" / runs["recognition"], tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read"):
        load_model(folder)
    whole = json.loads((folder / "config.json").read_text())
    for wrong in (
        {**whole, "selections": {"../elsewhere": {}}},
        {"format": 1},
        {**whole, "request": {"method": "x", "y": 1}},
    ):
        (folder / "config.json").write_text(json.dumps(wrong))
        with pytest.raises((DataError, UsageError), match=r"config\.json"):
            load_model(folder)
    (folder / "config.json").write_text(json.dumps({**whole, "format": 99}))
    with pytest.raises(DataError, match="newer suite"):
        load_model(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"config\.json cannot be read"):
        load_model(folder)
    with pytest.raises(UsageError, match="no folder of a kept model"):
        load_model(tmp_path)


def test_another_training_starts_from_kept_weights(runs: dict[str, str], places: Places):
    small, run = RUNS["semi-localization"], runs["semi-localization"]
    models = places.local / "models"
    by_id = resolve_run(small.method, small.dataset, {**small.params, "weights": run[:10]}, models=models)
    by_folder = resolve_run(small.method, small.dataset, {**small.params, "weights": str(models / run)})
    assert by_id == by_folder
    network = method_of(by_id, find_method(small.method)).network(load(small.dataset, cache=places.cache))
    kept = kept_models(places)[run].tensors()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in network.state_dict().items())
    with pytest.raises(UsageError, match="are kept here; train it again"):
        resolve_run(small.method, small.dataset, {**small.params, "weights": "0" * 16}, models=models)


@pytest.mark.slow
def test_a_model_of_pixels_predicts_for_new_files(tmp_path: Path):
    """The very scores that were recorded, from a folder with nothing but the videos and a table of boxes."""
    world = (
        "planted-clips[train_videos=4,unlabelled_videos=1,validation_videos=2,test_videos=2,width=48,height=40,"
        "frames=8,short_side=32]"
    )
    params = {"width": 8, "blocks": "1-1", "alpha": 4, "steps": 1, "semi_steps": 1, "evaluate_steps": 1, "batch": 2}
    places = Places(str(tmp_path / "outputs"))
    run = trained(Small("supervised-actors", world, params), places, "selected").id
    model = load_model(run, places)
    recorded = model.predict_dataset(places=places)
    assert same(model, places, run, "validation")
    people, mine = recorded.samples, tmp_path / "mine"
    mine.mkdir()
    for file in set(people.frames.files.tolist()):
        shutil.copy(file, mine)
    stems = [Path(file).stem for file in people.frames.files.tolist()]
    fps = people.frames.fps
    lines = [
        ",".join(map(str, [stems[clip], people.frames.centres[clip] / fps, *box, 0, 1.0]))
        for clip, box in zip(people.clip.tolist(), people.box.tolist())
    ]
    (mine / "boxes.csv").write_text("\n".join(lines) + "\n")
    found = model.predict_clips(mine)
    np.testing.assert_allclose(
        np.sort(found.probabilities(), axis=0), np.sort(recorded.probabilities(), axis=0), atol=1e-6
    )
    (mine / f"{stems[0]}{Path(people.frames.files[0]).suffix}").unlink()
    with pytest.raises(DataError, match="put it there"):
        model.predict_clips(mine)
