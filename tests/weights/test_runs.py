"""The parameter ``weights``: how it names a run, what it changes in one, and how mistakes with it are told."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from methods.networks.slowfast_detector import ActorDetector
from suite.data import find_card, load
from suite.errors import DataError, UsageError
from suite.places import Places
from suite.registry import method, methods
from suite.runs import cautions, resolve_run, run_id
from suite.spec.pinned import PinnedFile, content_of
from suite.sweep.files import ad_hoc
from suite.sweep.problem import problems
from tests.weights.releases import shaken

DIALS = "train_videos=4,unlabelled_videos=1,validation_videos=2,test_videos=2,width=48,height=40,frames=8,short_side=32"
CLIPS = f"planted-clips[{DIALS}]"
SMALL = {"width": 8, "blocks": "1-1", "alpha": 4}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Weights of a small SlowFast with another number of classes, as PySlowFast saves them."""
    network = shaken(ActorDetector(7, 8, (1, 1), 4))
    state = {name.removeprefix("backbone."): tensor for name, tensor in network.state_dict().items()}
    torch.save({"epoch": 1, "model_state": state}, tmp_path / "k400.pyth")
    return tmp_path / "k400.pyth"


def spec_of(file: Path | str, **more: object):
    return resolve_run("supervised-actors", CLIPS, {**SMALL, "weights": str(file), **more})


def test_the_content_names_a_run_and_the_path_does_not(file: Path, tmp_path: Path):
    places = Places(str(tmp_path / "out"))
    moved = Path(shutil.copy(file, tmp_path / "elsewhere.pth"))
    bare = resolve_run("supervised-actors", CLIPS, SMALL)
    first, second = spec_of(file), spec_of(moved)
    assert first.params["weights"] != second.params["weights"]
    assert run_id(first, places) == run_id(second, places) != run_id(bare, places)
    torch.save({"model_state": {"s1.x": torch.zeros(1)}}, moved)
    assert run_id(spec_of(moved), places) != run_id(first, places)


def test_a_run_that_is_resolved_again_keeps_its_name(file: Path, tmp_path: Path):
    """A row of the ledger has the pinned form; the file may be gone by then."""
    places, first = Places(str(tmp_path / "out")), spec_of(file)
    file.unlink()
    again = resolve_run("supervised-actors", CLIPS, first.params)
    assert run_id(again, places) == run_id(first, places)
    assert content_of(first.params["weights"]).startswith("sha256:")
    with pytest.raises(DataError, match=r"k400.pyth is not on this machine"):
        method("supervised-actors")(**first.params).network(load(CLIPS, "actor-detection"))


def test_a_file_that_changed_since_is_an_error(file: Path):
    first = spec_of(file)
    torch.save({"model_state": {}}, file)
    with pytest.raises(DataError, match=r"has changed: its SHA-256 is \w{12}…, not \w{12}…"):
        method("supervised-actors")(**first.params).network(load(CLIPS, "actor-detection"))


def test_a_missing_file_is_an_error_before_anything_starts(tmp_path: Path):
    with pytest.raises(UsageError, match=r"there is no file .*nowhere.pth, nor a run of that name"):
        spec_of(tmp_path / "nowhere.pth")


def test_the_network_starts_from_the_weights_and_its_head_from_its_own(file: Path):
    data, state = load(CLIPS, "actor-detection"), torch.load(file, weights_only=True)["model_state"]
    torch.manual_seed(0)
    network = method("supervised-actors")(**spec_of(file).params).network(data)
    torch.manual_seed(0)
    fresh = method("supervised-actors")(**SMALL).network(data)
    for name, tensor in network.backbone.state_dict().items():
        assert torch.equal(tensor, state[name])
    for name, tensor in network.head.state_dict().items():
        assert torch.equal(tensor, fresh.head.state_dict()[name])


@pytest.mark.parametrize(("weights", "frozen_bn", "frozen"), [(1, True, True), (1, False, False), (0, True, False)])
def test_normalization_is_frozen_where_weights_are_given_and_the_recipe_says_so(
    file: Path, weights: int, frozen_bn: bool, frozen: bool
):
    given = {"weights": str(file)} if weights else {}
    network = method("supervised-actors")(**SMALL, frozen_bn=frozen_bn, **given).network(load(CLIPS, "actor-detection"))
    norms = [m for m in network.train().modules() if isinstance(m, torch.nn.BatchNorm3d)]
    assert norms and all(norm.training is not frozen for norm in norms)


WORLDS = {
    "actor-detection": CLIPS,
    "semi-localization": "planted-videos[videos=12,video_seconds=15,classes=3,labelled=0.5]",
}
PROTOCOLS = {"actor-detection": "default", "semi-localization": "supervised"}
STARTING = [name for name, found in methods().items() if "weights" in found.hypers and not found.oracle]


def test_methods_on_released_networks_can_start_from_their_weights():
    assert {"supervised-actors", "fixmatch-actors", "actionformer", "npl", "bmn", "npl-bmn", "sstap"} <= set(STARTING)


@pytest.mark.parametrize("name", STARTING)
def test_no_method_forgets_the_weights_that_it_is_given(name: str, tmp_path: Path):
    """Whatever it wraps around its network, a method must look into the file."""
    chosen = method(name)
    small = {"preset": "small"} if "small" in chosen.presets else SMALL
    data = load(WORLDS[chosen.task], chosen.task, protocol=PROTOCOLS[chosen.task])
    torch.save({"state_dict": {"nothing.weight": torch.zeros(2)}}, tmp_path / "other.pth")
    with pytest.raises(DataError, match="it is of another network"):
        chosen(**small, weights=str(tmp_path / "other.pth")).network(data)


def test_a_file_on_the_card_is_found_by_its_name(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    card = find_card("planted-clips")
    digest = PinnedFile(file).pin().digest
    entry = {"path": "weights/k400.pyth", "url": "https://example.org/k400.pyth", "sha256": digest}
    own = type(card).model_validate(card.model_dump() | {"folder": "clips", "weights": {"k400": entry}})
    monkeypatch.setattr("suite.runs.find_card", lambda name: own)
    with pytest.raises(DataError, match=r"'k400' are not at .*clips/weights/k400.pyth; get them from https://example"):
        resolve_run("supervised-actors", CLIPS, {"weights": "k400"}, root=tmp_path)
    (tmp_path / "clips/weights").mkdir(parents=True)
    place = Path(shutil.copy(file, tmp_path / "clips/weights/k400.pyth"))
    spec = resolve_run("supervised-actors", CLIPS, {"weights": "k400"}, root=tmp_path)
    assert spec.params["weights"] == f"{place}@sha256:{digest}"
    place.write_bytes(b"another")
    with pytest.raises(DataError, match="has changed"):
        resolve_run("supervised-actors", CLIPS, {"weights": "k400"}, root=tmp_path)


@pytest.mark.parametrize("dataset", ["ava-v2.2", "ucf101-24"])
def test_pixels_of_real_videos_without_weights_are_cautioned(dataset: str, file: Path):
    (said,) = cautions(resolve_run("supervised-actors", dataset))
    assert f"pixels of {dataset}" in said and "--set weights=FILE" in said
    assert cautions(resolve_run("supervised-actors", dataset, {"weights": str(file)})) == []
    assert cautions(resolve_run("supervised-actors", CLIPS)) == []
    assert cautions(resolve_run("actionformer", "thumos-14", protocol="212")) == []


def test_a_sweep_over_files_knows_them_as_the_ledger_does(file: Path, tmp_path: Path):
    spec = ad_hoc("supervised-actors", CLIPS, "lr", {"space": {"weights": [str(file), ""]}})
    (problem,) = problems(spec)
    pinned = str(PinnedFile(file).pin())
    assert problem.space["weights"].choices == (pinned, "")
    assert [run.params["weights"] for run in problem.runs({"weights": pinned})] == [pinned]


def test_a_run_with_weights_trains_and_repeats(file: Path):
    from suite.tasks import task
    from suite.train.loop import train
    from suite.train.training import Settings, Training

    data = load(CLIPS, "actor-detection")
    params = {**SMALL, "weights": str(file), "frozen_bn": True, "steps": 2, "semi_steps": 1, "evaluate_steps": 1}
    params |= {"batch": 2, "lr": 0.001, "semi_lr": 0.001}
    one, other = (
        train(Training(method("supervised-actors")(**params), data, task("actor-detection"), Settings()))
        for _ in range(2)
    )
    assert all(np.array_equal(one.scores["test"][k], other.scores["test"][k]) for k in one.scores["test"])
